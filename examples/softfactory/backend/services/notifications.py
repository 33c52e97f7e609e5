"""The notification service, under the guide's import path."""

from tocsin.services.notifications import *  # noqa: F403 the guide's names are all of them
