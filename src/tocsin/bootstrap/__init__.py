"""
Puts the parts together: ``build(settings)`` returns a Service, which starts, drains, stops.

The only place that knows which adapter stands behind which port.
"""

from tocsin.bootstrap.core import Core, StartError, explained, kept_by, open_started_store
from tocsin.bootstrap.listening import cant_listen
from tocsin.bootstrap.publish import bridge_here, publish_with, settings_here
from tocsin.bootstrap.service import Service, build

__all__ = [
    "Core",
    "Service",
    "StartError",
    "bridge_here",
    "build",
    "cant_listen",
    "explained",
    "kept_by",
    "open_started_store",
    "publish_with",
    "settings_here",
]
