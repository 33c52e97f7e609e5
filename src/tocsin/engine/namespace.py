"""
What an application registers: namespaces, their handlers, and how it refuses.

Calling the handlers lives in ``connection.py``.
"""

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tocsin.engine.rooms import Rooms

if TYPE_CHECKING:
    from tocsin.engine.client_socket import Socket


class ConnectRefused(Exception):
    """
    Raised by an ``on_connect`` handler: the client may not use the namespace.

    Args:
        message: ``err.message`` of a JavaScript client.
        data: ``err.data``; None leaves it out.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class EventRefused(Exception):
    """
    Raised by an event handler: the ack is this problem object.

    Args:
        problem: JSON object with a stable ``code``.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("code", "refused"))
        self.problem = problem


class Handler:
    """
    A function of the application and what has to be known to call it.

    Args:
        function: Sync or async; a sync one runs inline and must not block.
        leading: Positional arguments that the engine gives it before those of the wire.
        takes_binary: Its event may have binary attachments.

    Attributes:
        is_async: Calling it gives an awaitable.
        min_args: Fewest arguments from the wire that it accepts.
        max_args: Most.
    """

    __slots__ = ("function", "is_async", "max_args", "min_args", "takes_binary")

    def __init__(self, function: Callable[..., Any], leading: int, *, takes_binary: bool = False) -> None:
        self.function = function
        self.takes_binary = takes_binary
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(type(function), "__call__", None)  # noqa: B004 — its kind matters, not its presence
        )
        parameters = inspect.signature(function).parameters.values()
        places = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
        takes_all = any(one.kind is one.VAR_POSITIONAL for one in parameters)
        self.min_args = max(0, sum(one.default is one.empty for one in places) - leading)
        self.max_args = sys.maxsize if takes_all else len(places) - leading


class Namespace:
    """
    One namespace: its handlers, its connected sockets and their rooms.

    Attributes:
        name: ``/`` or ``/name``; one string object for all its sockets.
        sockets: Connected ones, in order of connection.
        events: Handlers by event name.
        event_prefix: What an event of it starts with on the wire, up to the id.
        received: Events that its handlers were given, since the start.
        sent: Events that were emitted and a transport took, one a socket, since the start.
    """

    __slots__ = (
        "connect",
        "disconnect",
        "event_prefix",
        "events",
        "name",
        "ready",
        "received",
        "rooms",
        "sent",
        "sockets",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.event_prefix = "42" if name == "/" else f"42{name},"
        self.connect: Handler | None = None
        self.ready: Handler | None = None
        self.disconnect: Handler | None = None
        self.events: dict[str, Handler] = {}
        self.sockets: dict[Socket, None] = {}
        self.rooms: Rooms[Socket] = Rooms()
        self.received = 0
        self.sent = 0
