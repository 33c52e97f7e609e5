"""
One client on one namespace, as the application sees it.

What the wire does to it (CONNECT, events, DISCONNECT) lives in ``connection.py``.
"""

import asyncio
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Any

from tocsin.engine.namespace import Namespace
from tocsin.engine.packets import EncodedPacket, encode_disconnect, encode_event

if TYPE_CHECKING:
    from tocsin.engine.connection import Connection

CLIENT_DISCONNECT = "client namespace disconnect"
SERVER_DISCONNECT = "server namespace disconnect"


class TooManyCalls(RuntimeError):
    """``Limits.pending_acks`` calls wait for this client already."""


class Socket:
    """
    One client on one namespace. Belongs to the event loop's thread.

    Attributes:
        id: Public id of this socket; not a secret.
        connection: The session under it, shared by the client's namespaces.
        data: Whatever the application keeps here; None at first.
        connected: CONNECT has been answered, and nobody has left yet.
        joined: For ``Rooms``; read ``rooms``.
        ns: For ``Connection``; read ``namespace``.
    """

    __slots__ = ("_acks", "_left", "_waiting", "connected", "connection", "data", "id", "joined", "ns")

    def __init__(self, ns: Namespace, connection: "Connection", id: str) -> None:  # noqa: A002
        self.id = id
        self.connection = connection
        self.data: Any = None
        self.connected = False
        self.joined: tuple[Hashable, ...] | set[Hashable] = ()
        self.ns = ns
        self._acks: dict[int, asyncio.Future[list[Any]]] | None = None
        # Packets sent before CONNECT was answered: a client would drop them.
        self._waiting: list[tuple[EncodedPacket, bool]] | None = None
        # Why it has left, so that a handler that is still connecting it finds out.
        self._left: str | None = None

    def __repr__(self) -> str:
        return f"<Socket {self.id} on {self.ns.name}>"

    @property
    def namespace(self) -> str:
        """``/`` or ``/name``."""
        return self.ns.name

    @property
    def rooms(self) -> Collection[Hashable]:
        """The rooms that it is in."""
        return self.joined

    def join(self, room: Hashable) -> None:
        """Enter a room; what is emitted to it from now on arrives here, CONNECT's answer first."""
        if self._left is None:
            self.ns.rooms.join(self, room)

    def leave(self, room: Hashable) -> None:
        """Leave a room; without effect when not in it."""
        self.ns.rooms.leave(self, room)

    def emit(self, event: str, *args: Any, ephemeral: bool = False, more: bool = False) -> bool:
        """
        Send an event; ``bytes`` in the args become attachments.

        Args:
            event: Its name.
            args: JSON values and ``bytes``.
            ephemeral: It may be dropped when the client is slow.
            more: Another follows in this turn of the loop, and both leave in one write.

        Returns:
            False when dropped, or when the client is gone or was cut for being slow.

        Raises:
            TypeError: An argument has no JSON form.
        """
        packet = encode_event(self.ns.name, event, args)
        is_sent = self.defer(packet, ephemeral) if more else self.send(packet, ephemeral)
        self.ns.sent += is_sent
        return is_sent

    def send(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Send a packet that may be shared with other sockets; see ``emit``."""
        if self.connected:
            return self.connection.transport.send(packet, ephemeral)
        return self._wait(packet, ephemeral)

    def defer(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Like ``send``, at the end of the loop turn: for one packet to very many."""
        if self.connected:
            return self.connection.transport.defer(packet, ephemeral)
        return self._wait(packet, ephemeral)

    async def call(self, event: str, *args: Any, timeout_s: float = 10.0) -> list[Any]:
        """
        Send an event and wait for the client's ack; return its arguments.

        Raises:
            TimeoutError: No ack within ``timeout_s``; a later one is ignored.
            ConnectionError: The client left, or the event could not be sent.
            TooManyCalls: So many wait already.
            TypeError: An argument has no JSON form.
        """
        server = self.connection.server
        if self._acks is None:
            self._acks = {}
        elif len(self._acks) >= server.limits.pending_acks:
            raise TooManyCalls(f"{len(self._acks)} calls wait for this client")
        acks = self._acks
        id_ = server.next_ack_id()
        packet = encode_event(self.ns.name, event, args, id_)
        future: asyncio.Future[list[Any]] = server.loop.create_future()
        acks[id_] = future
        try:
            if not self.send(packet):
                raise ConnectionError("the client is gone")
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            if future.done() and not future.cancelled():
                # Who was cut while this was sent, or timed out just then, has told it otherwise.
                future.exception()
            acks.pop(id_, None)
            if not acks:
                self._acks = None

    def disconnect(self) -> None:
        """
        End this namespace for the client with a DISCONNECT packet.

        A JavaScript client does not come back after it; ``connection.close`` makes it.
        """
        if self.connected:
            self.connection.transport.send(encode_disconnect(self.ns.name))
        self.connection.leave(self, SERVER_DISCONNECT)

    # For ``Connection``.

    def acked(self, id_: int, args: list[Any]) -> None:
        """Take the client's answer to a call; one that nobody waits for is ignored."""
        future = None if self._acks is None else self._acks.get(id_)
        if future is not None and not future.done():
            future.set_result(args)

    def begin(self) -> None:
        """Be connected: CONNECT has just been answered, what waited follows."""
        self.connected = True
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            for packet, ephemeral in waiting:
                self.send(packet, ephemeral)

    def end(self, reason: str) -> None:
        """Be disconnected: leave all rooms, fail all calls."""
        self.connected = False
        self._left = reason
        self._waiting = None
        self.ns.rooms.leave_all(self)
        if self._acks is not None:
            for future in self._acks.values():
                if not future.done():
                    future.set_exception(ConnectionError(reason))

    @property
    def left(self) -> str | None:
        """Why it has left; None while it has not."""
        return self._left

    def _wait(self, packet: EncodedPacket, ephemeral: bool) -> bool:
        if self._left is not None:
            return False
        if self._waiting is None:
            self._waiting = []
        elif len(self._waiting) >= self.connection.server.limits.queue_packets:
            if not ephemeral:
                self.connection.abort("slow")
            return False
        self._waiting.append((packet, ephemeral))
        return True
