"""
A Socket.IO v5 server on Engine.IO v4: small, bounded, without a task at rest.

Could be its own package: it knows nothing of users or notifications. Start at
``SocketServer``; ``EngineServer`` serves bare Engine.IO.
"""

from tocsin.engine.client_socket import Socket, TooManyCalls
from tocsin.engine.connection import Connection
from tocsin.engine.engine_server import EngineServer
from tocsin.engine.limits import Limits
from tocsin.engine.namespace import ConnectRefused, EventRefused
from tocsin.engine.origins import AllowOrigin, allow_list, same_origin
from tocsin.engine.packets import EncodedPacket, encode_event, encode_event_json, encode_message
from tocsin.engine.server import SocketServer
from tocsin.engine.session import Session
from tocsin.engine.timer_wheel import Timer, TimerWheel

__all__ = [
    "AllowOrigin",
    "ConnectRefused",
    "Connection",
    "EncodedPacket",
    "EngineServer",
    "EventRefused",
    "Limits",
    "Session",
    "Socket",
    "SocketServer",
    "Timer",
    "TimerWheel",
    "TooManyCalls",
    "allow_list",
    "encode_event",
    "encode_event_json",
    "encode_message",
    "same_origin",
]
