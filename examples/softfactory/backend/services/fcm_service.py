"""Firebase Cloud Messaging, under the guide's import path."""

from tocsin.services.fcm_service import *  # noqa: F403 the guide's names are all of them
