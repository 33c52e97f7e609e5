"""How this process publishes: by the service that runs in it, or by a Core of its own."""

import logging
from collections.abc import Callable
from pathlib import Path

from tocsin import bridge
from tocsin.bootstrap.core import Core, loop_factory
from tocsin.bridge import Bridge, OwnBridge
from tocsin.domain.errors import NotInitialized
from tocsin.settings import Settings

_log = logging.getLogger(__name__)

_publish_settings: Settings | Callable[[], Settings] | None = None


def publish_with(settings: Settings | Callable[[], Settings] | None) -> None:
    """
    Remember the settings that this process publishes with while no service runs in it.

    Args:
        settings: All settings, or a function that makes them when they are first needed;
            None: from the environment again.
    """
    global _publish_settings  # noqa: PLW0603 what init_websocket found holds for the process
    _publish_settings = settings
    bridge.halt_own()


def bridge_here() -> Bridge:
    """
    Return the way to the service of this process, or to a Core of its own that the first call opens.

    Raises:
        NotInitialized: This process serves nobody, and was not told its database.
    """
    return bridge.find() or bridge.own(_make_own_bridge)


def settings_here() -> Settings:
    """
    Return the settings of the service of this process, or those that it publishes with.

    Raises:
        NotInitialized: This process serves nobody, and was not told its database.
    """
    known = bridge.find() or bridge.find_own()
    # An own bridge has no Core before its first call, and none any more once another thread forks.
    core = None if known is None else known.core
    return _settings_to_publish() if core is None else core.settings


def _make_own_bridge() -> OwnBridge:
    return OwnBridge(_make_core, loop_factory(), is_heard=_has_bus)


def _has_bus() -> bool:
    try:
        return _settings_to_publish().redis_url is not None
    except NotInitialized:
        return False


def _make_core() -> Core:
    settings = _settings_to_publish()
    if "database_url" not in settings.model_fields_set:
        # A server that was started in another folder hears nothing of it.
        _log.warning(
            "nobody said where the server's database is: publishing to %s; set TOCSIN_DATABASE_URL",
            Path(settings.database_url.removeprefix("sqlite:///")).absolute(),
        )
    return Core(settings)


def _settings_to_publish() -> Settings:
    settings = _publish_settings() if callable(_publish_settings) else _publish_settings
    if settings is None:
        settings = Settings()
        if "database_url" not in settings.model_fields_set:
            raise NotInitialized(
                "nobody said where to publish: call init_websocket(app) or set TOCSIN_DATABASE_URL "
                "to the server's database"
            )
    return settings
