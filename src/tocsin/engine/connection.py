"""
One client's Socket.IO v5 connection: namespaces, events and acks over a session.

Decides what each packet of the wire may do and calls the handlers. The packet
format lives in ``packets.py``, registration in ``namespace.py``.
"""

import logging
import re
from collections.abc import Callable, Coroutine
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

import orjson

from tocsin.engine.client_socket import CLIENT_DISCONNECT, Socket
from tocsin.engine.current import named
from tocsin.engine.handling import call, problem_of
from tocsin.engine.namespace import ConnectRefused, Handler, Namespace
from tocsin.engine.packets import (
    MAX_DEPTH,
    BinaryAssembler,
    MalformedPacket,
    Packet,
    PacketType,
    decode_packet,
    encode_ack,
    encode_connect,
    encode_connect_error,
)
from tocsin.engine.refusals import INTERNAL, INVALID, NO_BINARY, RATE_LIMITED, UNKNOWN_EVENT
from tocsin.engine.session import OVER_LIMIT, Session
from tocsin.engine.session_ids import session_id

if TYPE_CHECKING:
    from tocsin.engine.server import SocketServer

logger = logging.getLogger(__name__)

_ID: Final = re.compile("0|[1-9][0-9]{0,15}")


class Connection(Session):
    """
    One Engine.IO session that speaks Socket.IO. Belongs to the event loop's thread.

    Attributes:
        data: Whatever the application keeps here; None at first.
        server: The server that it belongs to.
    """

    __slots__ = ("_assembler", "_events", "_in_hand", "_refused", "_sockets", "_unstarted", "data")

    _server: "SocketServer"

    def __init__(self, server: "SocketServer", sid: str, remote_address: str | None) -> None:
        super().__init__(server, sid, remote_address)
        self.data: Any = None
        # Few: a search is faster than a dict, and a dict a connection is what memory goes to.
        self._sockets: tuple[Socket, ...] = ()
        self._assembler: BinaryAssembler | None = None
        self._events = 0.0
        self._refused = 0
        self._unstarted = 0
        # Characters of the events that handlers are at.
        self._in_hand = 0

    @property
    def server(self) -> "SocketServer":
        """The server that it belongs to."""
        return self._server

    @property
    def sockets(self) -> dict[str, Socket]:
        """By namespace, the sockets that are connected; a new dict."""
        return {socket.namespace: socket for socket in self._sockets if socket.connected}

    # From the session.

    def packet_received(self, packet: str | bytes) -> None:
        """Take one Engine.IO packet; a plain event by a short way, all else by the strict one."""
        if isinstance(packet, bytes) or not packet.startswith("42") or not self._take_event(packet):
            super().packet_received(packet)

    def _take_event(self, text: str) -> bool:
        """
        Handle the commonest packet of all: a well-formed event of a connected namespace.

        False, with nothing done, for whatever else it is; ``decode_packet`` judges that.
        """
        if self.closed or self._assembler is not None:
            return False
        for socket in self._sockets:
            prefix = socket.ns.event_prefix
            if text.startswith(prefix) and socket.connected:
                break
        else:
            return False
        start = text.find("[")
        number = text[len(prefix) : start]
        if start < 0 or (number and not _ID.fullmatch(number)):
            return False
        try:
            data = orjson.loads(text[start:])
        except orjson.JSONDecodeError:
            return False
        # Reserved names are no handler's, so they never get past here.
        handler = socket.ns.events.get(data[0]) if data and type(data[0]) is str else None
        if handler is None or text.count("[") + text.count("{") > MAX_DEPTH or not self._spend_event():
            return False
        del data[0]
        self._handle(handler, socket, data, int(number) if number else None, len(text))
        return True

    def message_received(self, text: str) -> None:
        """Take a Socket.IO packet."""
        if self._assembler is not None:
            raise MalformedPacket("attachment expected")
        packet = decode_packet(text, self._server.limits.max_attachments, 1)
        type_ = packet.type
        if type_ is PacketType.EVENT:
            self._event(packet, len(text))
        elif type_ is PacketType.ACK:
            self._ack(packet)
        elif type_ is PacketType.CONNECT:
            self._connect(packet)
        elif type_ is PacketType.DISCONNECT:
            socket = self._find(packet.namespace)
            if socket is not None:
                self.leave(socket, CLIENT_DISCONNECT)
        else:
            self._expect_attachments(packet)

    def binary_received(self, data: bytes) -> None:
        """Take an attachment of the packet before."""
        if self._assembler is None:
            raise MalformedPacket("attachment without packet")
        packet = self._assembler.add(data)
        if packet is None:
            return
        self._assembler = None
        if packet.type is not PacketType.EVENT:
            self._ack(packet)
        elif self._takes_binary(packet):
            self._event(packet, self._server.limits.max_payload)
        elif (socket := self._find(packet.namespace)) is not None:
            self._server.count("refused:binary")
            self._answer(socket, packet.id, NO_BINARY)

    def ended(self, reason: str) -> None:
        """Disconnect every namespace, then tell the application about the connection."""
        self._assembler = None
        for socket in self._sockets:
            self.leave(socket, reason)
        for handler in self._server.closed_handlers:
            call(self, handler, self, reason)

    def leave(self, socket: Socket, reason: str) -> None:
        """Take a socket off its namespace and tell the application, once."""
        if socket.left is not None:
            return
        self._sockets = tuple(other for other in self._sockets if other is not socket)
        was_connected = socket.connected
        ns = socket.ns
        socket.end(reason)
        if was_connected:
            ns.sockets.pop(socket, None)
            if ns.disconnect is not None:
                call(self, ns.disconnect, socket, reason)

    # CONNECT.

    def _connect(self, packet: Packet) -> None:
        server = self._server
        ns = server.namespaces.get(packet.namespace)
        if not self._spend_event():
            server.count("refused:event_rate")
            self.close(OVER_LIMIT)
            return
        if ns is None:
            server.count("refused:unknown_namespace")
            self.transport.send(encode_connect_error(packet.namespace, "Invalid namespace"))
            return
        if self._find(ns.name) is not None:
            raise MalformedPacket("connected already")
        if len(self._sockets) >= server.limits.max_namespaces:
            server.count("refused:namespaces")
            self.close(OVER_LIMIT)
            return
        socket = Socket(ns, self, session_id())
        self._sockets = (*self._sockets, socket)
        auth = {} if packet.data is None else packet.data
        handler = ns.connect
        if handler is None:
            self._accept(ns, socket)
        elif handler.is_async or self._unstarted:
            self._start(self._run_connect(ns, partial(handler.function, socket, auth), socket))
        else:
            try:
                rest = handler.function(socket, auth)
            except Exception as error:  # noqa: BLE001 — _refuse logs what is not a refusal
                self._refuse(ns, socket, error)
            else:
                if callable(rest):
                    self._start(self._run_connect(ns, rest, socket))
                else:
                    self._accept(ns, socket)

    async def _run_connect(self, ns: Namespace, connect: Callable[[], Any], socket: Socket) -> None:
        self._unstarted -= 1
        try:
            result = connect()
            if callable(result):
                result = result()
            if isawaitable(result):
                await result
        except Exception as error:  # noqa: BLE001 — _refuse logs what is not a refusal
            self._refuse(ns, socket, error)
        else:
            self._accept(ns, socket)
        finally:
            self._finished()

    def _accept(self, ns: Namespace, socket: Socket) -> None:
        if socket.left is None:
            self.confirm()
            ns.sockets[socket] = None
            self.transport.send(encode_connect(ns.name, socket.id))
            if not self.closed:
                socket.begin()
                if ns.ready is not None and socket.connected:
                    call(self, ns.ready, socket)
                return
            ns.sockets.pop(socket, None)
        # Gone while its handler was connecting it, or cut by the answer: what that set up must be undone.
        if ns.disconnect is not None:
            call(self, ns.disconnect, socket, socket.left)

    def _refuse(self, ns: Namespace, socket: Socket, error: Exception) -> None:
        is_there = socket.left is None
        self.leave(socket, "refused")
        if isinstance(error, ConnectRefused):
            self._server.count("refused:connect")
            packet = encode_connect_error(ns.name, error.message, error.data)
        else:
            logger.error("The connect handler of %s failed", ns.name, exc_info=error, extra=named(self))
            packet = encode_connect_error(ns.name, "Internal error", INTERNAL)
        if is_there and not self.closed:
            self.transport.send(packet)

    # EVENT.

    def _event(self, packet: Packet, size: int) -> None:
        socket = self._recipient(packet)
        if socket is None:
            return
        if not self._spend_event():
            self._refuse_event(socket, packet)
            return
        name, *args = packet.data
        handler = socket.ns.events.get(name)
        if handler is None:
            self._server.count("refused:unknown_event")
            self._answer(socket, packet.id, UNKNOWN_EVENT)
        else:
            self._handle(handler, socket, args, packet.id, size)

    def _handle(self, handler: Handler, socket: Socket, args: list[Any], id_: int | None, size: int) -> None:
        socket.ns.received += 1
        if not handler.min_args <= len(args) <= handler.max_args:
            self._server.count("refused:arguments")
            self._answer(socket, id_, INVALID)
        elif handler.is_async or self._unstarted:
            # Behind one that has not started yet even a sync handler has to wait its turn.
            self._start(self._run_event(handler, socket, args, id_, size), size)
        else:
            try:
                result = handler.function(socket, *args)
            except Exception as error:  # noqa: BLE001 — problem_of logs what is not a refusal
                result = problem_of(socket, error)
            if id_ is not None:
                self._answer(socket, id_, result)

    async def _run_event(self, handler: Handler, socket: Socket, args: list[Any], id_: int | None, size: int) -> None:
        self._unstarted -= 1
        try:
            try:
                result = handler.function(socket, *args)
                if handler.is_async:
                    result = await result
            except Exception as error:  # noqa: BLE001 — problem_of logs what is not a refusal
                result = problem_of(socket, error)
            self._answer(socket, id_, result)
        finally:
            self._finished(size)

    def _answer(self, socket: Socket, id_: int | None, result: Any) -> None:
        if id_ is None or not socket.connected:
            return
        args = result if type(result) is tuple else () if result is None else (result,)
        try:
            packet = encode_ack(socket.ns.name, id_, args)
        except TypeError:
            logger.exception(
                "An event handler of %s returned what has no JSON form", socket.namespace, extra=named(self)
            )
            packet = encode_ack(socket.namespace, id_, (INTERNAL,))
        self.transport.send(packet)

    def _spend_event(self) -> bool:
        # Pace.spend written out: this is on the path of every event.
        server = self._server
        pace = server.event_pace
        now = server.time()
        events = self._events
        if events <= now:
            self._refused = 0
            self._events = now + pace.interval_s
            return True
        if events - now > pace.burst_s:
            return False
        self._events = events + pace.interval_s
        return True

    def _refuse_event(self, socket: Socket, packet: Packet) -> None:
        server = self._server
        server.count("refused:event_rate")
        self._refused += 1
        if self._refused > server.limits.max_refused_events:
            self.close(OVER_LIMIT)
        else:
            self._answer(socket, packet.id, RATE_LIMITED)

    # ACK and attachments.

    def _ack(self, packet: Packet) -> None:
        socket = self._find(packet.namespace)
        if socket is not None and packet.id is not None:
            socket.acked(packet.id, packet.data)

    def _expect_attachments(self, packet: Packet) -> None:
        if self._recipient(packet) is None:
            pass  # they are dropped as well
        elif packet.type is PacketType.BINARY_EVENT:
            # Who waits for an answer gets one, after the attachments; nobody else would learn why.
            if packet.id is None and not self._takes_binary(packet):
                raise MalformedPacket("this event takes no binary")
        elif not self._server.has_asked(packet.id):
            # Where somebody has, it may be late: whoever has asked it may have given up.
            raise MalformedPacket("nobody has asked for this ack")
        self._assembler = BinaryAssembler(packet, self._server.limits.max_payload)

    def _takes_binary(self, packet: Packet) -> bool:
        handler = self._server.namespaces[packet.namespace].events.get(packet.data[0])
        return handler is not None and handler.takes_binary

    # Handlers.

    def _find(self, namespace: str) -> Socket | None:
        for socket in self._sockets:
            if socket.namespace == namespace:
                return socket
        return None

    def _recipient(self, packet: Packet) -> Socket | None:
        """Return who gets it; None when it crossed our DISCONNECT on the way, and is to be dropped."""
        socket = self._find(packet.namespace)
        if socket is None and self.confirmed and packet.namespace in self._server.namespaces:
            return None
        if socket is None or not socket.connected:
            raise MalformedPacket("not connected")
        return socket

    @property
    def _is_full(self) -> bool:
        limits = self._server.limits
        return self.in_flight >= limits.handlers_in_flight or self._in_hand >= limits.in_flight_bytes

    def _start(self, work: Coroutine[Any, Any, None], size: int = 0) -> None:
        self._unstarted += 1
        self.in_flight += 1
        self._in_hand += size
        self._server.spawn(work, self)
        if self._is_full:
            self.transport.pause_reading()

    def _finished(self, size: int = 0) -> None:
        was_full = self._is_full
        self.in_flight -= 1
        self._in_hand -= size
        if was_full and not self._is_full and not self.closed:
            self.transport.resume_reading()
