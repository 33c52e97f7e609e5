"""
The four namespaces over the engine: auth, resume, client events, streams to rooms.

Nothing is stored here and no rule of the domain is decided here.
"""

from tocsin.realtime.gateway import Realtime

__all__ = ["Realtime"]
