"""Where the guide has its notification service."""

from tocsin.services.notifications import *  # noqa: F403
