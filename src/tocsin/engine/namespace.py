"""
What an application registers: namespaces, their handlers, and how it refuses.

Calling the handlers lives in ``connection.py``.
"""

import inspect
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
        max_args: Most; None for any number.
    """

    __slots__ = ("function", "is_async", "max_args", "min_args", "takes_binary")

    def __init__(self, function: Callable[..., Any], leading: int, *, takes_binary: bool = False) -> None:
        self.function = function
        self.takes_binary = takes_binary
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(type(function), "__call__", None)  # noqa: B004 — its kind matters, not its presence
        )
        self.min_args = 0
        self.max_args: int | None = 0
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.max_args = None
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                if self.max_args is not None:
                    self.max_args += 1
                self.min_args += parameter.default is parameter.empty
        self.min_args = max(0, self.min_args - leading)
        if self.max_args is not None:
            self.max_args -= leading

    def accepts(self, count: int) -> bool:
        """Tell whether it can be called with so many arguments from the wire."""
        return self.min_args <= count and (self.max_args is None or count <= self.max_args)


class Namespace:
    """
    One namespace: its handlers, its connected sockets and their rooms.

    Attributes:
        name: ``/`` or ``/name``; one string object for all its sockets.
        sockets: Connected ones, in order of connection.
    """

    __slots__ = ("connect", "disconnect", "events", "name", "ready", "rooms", "sockets")

    def __init__(self, name: str) -> None:
        self.name = name
        self.connect: Handler | None = None
        self.ready: Handler | None = None
        self.disconnect: Handler | None = None
        self.events: dict[str, Handler] = {}
        self.sockets: dict[Socket, None] = {}
        self.rooms: Rooms[Socket] = Rooms()
