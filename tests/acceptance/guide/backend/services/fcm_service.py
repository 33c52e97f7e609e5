"""Where the guide has its push service."""

from tocsin.services.fcm_service import *  # noqa: F403
