"""
Self-hosted real-time notifications and messaging for Python back ends.

``build(settings)`` returns the whole server as one object; the command line is
``tocsin``. The Socket.IO engine alone is ``tocsin.engine``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.bootstrap import Service, StartError, build
    from tocsin.host_transaction import publish_in
    from tocsin.settings import Settings, SettingsError

__version__ = "0.1.0"

__all__ = ["Service", "Settings", "SettingsError", "StartError", "build", "publish_in"]

_HOMES = {
    "Service": "tocsin.bootstrap",
    "Settings": "tocsin.settings",
    "SettingsError": "tocsin.settings",
    "StartError": "tocsin.bootstrap",
    "build": "tocsin.bootstrap",
    "publish_in": "tocsin.host_transaction",
}


def __getattr__(name: str) -> Any:
    # Whoever wants the engine or the version alone does not load the web framework.
    if name not in _HOMES:
        raise AttributeError(f"module 'tocsin' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
