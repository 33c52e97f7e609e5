"""
The guide's server module: Socket.IO for a Flask application, in one call.

``init_websocket(app)`` connects an application, ``socketio.run(app)`` serves its
views and the sockets on one port in one process, and the ``broadcast_*``
functions work in that process and in any other: a gunicorn worker, a Celery
task, a script.
"""

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
