"""
The Socket.IO v5 server that applications use: registration and fan-out.

What one client may do lives in ``connection.py``, sessions and transports under
``engine_server.py``.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Hashable, Iterable
from typing import Any, TypeVar, cast

from tocsin.engine.client_socket import Socket
from tocsin.engine.connection import Connection
from tocsin.engine.current import CONNECTION
from tocsin.engine.engine_server import EngineServer
from tocsin.engine.limits import Limits, Pace
from tocsin.engine.namespace import Handler, Namespace
from tocsin.engine.origins import AllowOrigin, same_origin
from tocsin.engine.packets import RESERVED_EVENTS, EncodedPacket, encode_event

F = TypeVar("F", bound=Callable[..., Any])

# Up to so many recipients a packet is written at once, which is what a single
# user's devices want; to more of them it leaves at the end of the loop turn, so
# that ten broadcasts in one turn are one write a client.
_AT_ONCE = 16


class SocketServer(EngineServer):
    """
    A Socket.IO server for stock clients, over WebSocket and long-polling.

    Belongs to one event loop and its thread, asyncio's or uvloop's. Handlers may be
    sync or async; a sync one runs inline, costs no task and must not block.

    >>> import uvicorn
    >>> from tocsin.engine import SocketServer
    >>> server = SocketServer()
    >>> @server.on("hello")
    ... def hello(socket, name):
    ...     socket.join("greeted")
    ...     server.emit("joined", name, room="greeted")
    ...     return f"Hello {name}"
    >>> def main():
    ...     uvicorn.run(server.asgi(), ws=server.websocket_protocol)

    Args:
        path: Where clients connect.
        ping_interval: Seconds between pings.
        ping_timeout: Seconds that a client has to answer one.
        connect_timeout: Seconds that a client has to connect its first namespace.
        limits: Bounds.
        allow_origin: Which web pages may connect.
        trusted_proxies: Addresses or networks whose forwarding headers are believed.
    """

    def __init__(
        self,
        *,
        path: str = "/socket.io/",
        ping_interval: float = 25.0,
        ping_timeout: float = 20.0,
        connect_timeout: float = 45.0,
        limits: Limits | None = None,
        allow_origin: AllowOrigin = same_origin,
        trusted_proxies: Iterable[str] = ("127.0.0.0/8", "::1"),
    ) -> None:
        super().__init__(
            Connection,
            path=path,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            connect_timeout=connect_timeout,
            limits=limits,
            allow_origin=allow_origin,
            trusted_proxies=trusted_proxies,
        )
        self.namespaces: dict[str, Namespace] = {}
        self.event_pace = Pace(self.limits.events_per_s, self.limits.events_burst)
        self.closed_handlers: list[Handler] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ack_id = 0

    # Registration.

    def add_namespace(self, namespace: str) -> Namespace:
        """
        Let clients connect to a namespace; registering a handler for it does that too.

        Raises:
            ValueError: It is not ``/`` or ``/name``, or holds a comma or question mark.
        """
        if not namespace.startswith("/") or set(namespace) & set(",?"):
            raise ValueError(f"not a namespace: {namespace!r}")
        return self.namespaces.setdefault(namespace, Namespace(namespace))

    def on_connect(self, namespace: str = "/") -> Callable[[F], F]:
        """
        Register ``(socket, auth: dict)``, which decides whether a client may connect.

        It may keep things in ``socket.data``, join rooms, and raise ``ConnectRefused``.
        A sync one that can't decide at once returns an async function, which decides in its place.
        When it returns and the client has gone meanwhile, ``on_disconnect`` follows.
        """

        def register(function: F) -> F:
            self.add_namespace(namespace).connect = Handler(function, 2)
            return function

        return register

    def on_ready(self, namespace: str = "/") -> Callable[[F], F]:
        """Register ``(socket)``, called after CONNECT has been answered."""

        def register(function: F) -> F:
            self.add_namespace(namespace).ready = Handler(function, 1)
            return function

        return register

    def on_disconnect(self, namespace: str = "/") -> Callable[[F], F]:
        """
        Register ``(socket, reason: str)``, called once for each socket that ``on_connect`` let in.

        The socket has left its rooms and takes no more packets.
        """

        def register(function: F) -> F:
            self.add_namespace(namespace).disconnect = Handler(function, 2)
            return function

        return register

    def on(self, event: str, namespace: str = "/", *, binary: bool = False) -> Callable[[F], F]:
        """
        Register ``(socket, *args)`` for an event; what it returns is acked.

        Nothing acks ``[]``, a tuple its items, anything else ``[value]``. ``EventRefused``
        acks its problem, any other exception is logged and acks a generic one. Events of
        one socket start in the order of the wire.

        Args:
            event: Its name.
            namespace: Where.
            binary: The event may have attachments; without it they close the connection.

        Raises:
            ValueError: The name is reserved.
        """
        if event in RESERVED_EVENTS:
            raise ValueError(f"reserved event name: {event}")

        def register(function: F) -> F:
            self.add_namespace(namespace).events[event] = Handler(function, 1, takes_binary=binary)
            return function

        return register

    def on_connection_closed(self, function: F) -> F:
        """Register ``(connection, reason)``, called once a connection, after its namespaces."""
        self.closed_handlers.append(Handler(function, 2))
        return function

    # Fan-out.

    def room(self, namespace: str, room: Hashable) -> Collection[Socket]:
        """
        Return who is in a room; cheap, empty when nobody is.

        A live view: copy it before doing what lets sockets join, leave or close.

        Raises:
            KeyError: No such namespace.
        """
        return self.namespaces[namespace].rooms.members(room)

    def has_anybody(self, namespace: str, room: Hashable = None) -> bool:
        """Tell whether anybody is on a namespace, or in a room of it; False when there is no such namespace."""
        place = self.namespaces.get(namespace)
        return place is not None and bool(place.sockets if room is None else place.rooms.members(room))

    def emit(
        self,
        event: str,
        *args: Any,
        namespace: str = "/",
        room: Hashable = None,
        skip: Socket | None = None,
        ephemeral: bool = False,
    ) -> int:
        """
        Send an event to a room, encoded and framed once; return how many sockets took it.

        Args:
            event: Its name.
            args: JSON values and ``bytes``.
            namespace: Where.
            room: To whom; None is everybody on the namespace.
            skip: Who does not get it.
            ephemeral: It may be dropped for clients that are slow.

        Raises:
            KeyError: No such namespace.
            TypeError: An argument has no JSON form.
        """
        return self.send(encode_event(namespace, event, args), namespace, room, skip, ephemeral)

    def broadcast(self, event: str, *args: Any, namespace: str = "/") -> int:
        """Send an event to everybody on a namespace; see ``emit``."""
        return self.send(encode_event(namespace, event, args), namespace, None)

    def send(
        self,
        packet: EncodedPacket,
        namespace: str,
        room: Hashable,
        skip: Socket | None = None,
        ephemeral: bool = False,
    ) -> int:
        """Send an encoded packet to a room; see ``emit``."""
        ns = self.namespaces[namespace]
        members: Collection[Socket] = ns.sockets if room is None else ns.rooms.members(room)
        reached = 0
        # A copy: sending may cut a slow client, which then leaves the room.
        if len(members) <= _AT_ONCE:
            for socket in tuple(members):
                if socket is not skip and socket.send(packet, ephemeral):
                    reached += 1
            ns.sent += reached
            return reached
        for socket in tuple(members):
            if socket is not skip and socket.defer(packet, ephemeral):
                reached += 1
        ns.sent += reached
        return reached

    @property
    def connections(self) -> Collection[Connection]:
        """Return the live connections; a live view, see ``room``."""
        return cast("Collection[Connection]", self.sessions.values())

    # For connections.

    def next_ack_id(self) -> int:
        """Return an id that no other call of this server has."""
        self._ack_id += 1
        return self._ack_id

    def has_asked(self, id_: int | None) -> bool:
        """Tell whether a call has had this id, also one that waits no more."""
        return id_ is not None and 0 < id_ <= self._ack_id

    def spawn(self, work: Coroutine[Any, Any, None], connection: Connection) -> None:
        """Run an async handler for a connection, which its context names; ``finish_handlers`` waits for it."""
        token = CONNECTION.set(connection)
        task = self.loop.create_task(work)
        CONNECTION.reset(token)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish_handlers(self, timeout_s: float) -> bool:
        """Wait for the async handlers that run now; False when some still do after ``timeout_s``."""
        tasks = set(self._tasks)
        if not tasks:
            return True
        _, running = await asyncio.wait(tasks, timeout=timeout_s)
        return not running
