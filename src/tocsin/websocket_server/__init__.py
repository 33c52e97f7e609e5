"""
The guide's server module: Socket.IO for a Flask application, in one call.

``init_websocket(app)`` connects an application, ``socketio.run(app)`` serves its
views and the sockets on one port in one process, and the ``broadcast_*``
functions work in that process and in any other: a gunicorn worker, a Celery
task, a script.
"""

from typing import TYPE_CHECKING, Any

from tocsin.websocket_server import flask_socketio_names
from tocsin.websocket_server.broadcast import (
    broadcast_chat_message,
    broadcast_notification,
    broadcast_order_event,
    broadcast_sns_event,
)
from tocsin.websocket_server.socketio import SocketIO, init_websocket

__all__ = [
    "SocketIO",
    "broadcast_chat_message",
    "broadcast_notification",
    "broadcast_order_event",
    "broadcast_sns_event",
    "init_websocket",
]

# A type checker would take every name for one that is here.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if (line := flask_socketio_names.missing_name(name)) is not None:
            # An AttributeError would lose its line: `from … import` puts its own in its place.
            raise ImportError(line)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
