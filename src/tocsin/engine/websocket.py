"""
The WebSocket transport of a session, straight on the connection's byte stream.

Output rules: the first packet of a loop turn leaves at once, what else the turn
brings for the same client leaves in one write at its end; a client that does
not read gets a bounded outbox and a deadline. The HTTP request that opens the
connection lives in ``upgrade.py``, frames in ``frames.py``.
"""

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tocsin.engine import frames
from tocsin.engine.frames import FrameError, FrameParser
from tocsin.engine.outbox import Outbox
from tocsin.engine.packets import EncodedPacket
from tocsin.engine.probe import start_probe, take_probe
from tocsin.engine.proxies import peer_of
from tocsin.engine.session import (
    CONNECT_TIMEOUT,
    OVER_LIMIT,
    PARSE_ERROR,
    SHUTTING_DOWN,
    SLOW,
    TRANSPORT_CLOSE,
    TRANSPORT_ERROR,
    Session,
)

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer

CLOSE_CODES: Final = {
    PARSE_ERROR: frames.PROTOCOL_ERROR,
    SHUTTING_DOWN: frames.GOING_AWAY,
    OVER_LIMIT: frames.POLICY_VIOLATION,
    CONNECT_TIMEOUT: frames.POLICY_VIOLATION,
}
"""Close codes of the reasons for which the server ends a session; any other is a normal closure."""

_CORK_PACKETS: Final = 64


class WebSocketTransport(FrameParser, asyncio.Protocol):
    """
    One WebSocket connection; first maybe a probe for a polling session, then a session's transport.

    Args:
        server: The server that it belongs to.
        session: The session whose transport it is or wants to become.
        is_probe: It wants to become one.
        connections: uvicorn's set of what has to end before it exits.
    """

    __slots__ = (
        "_connections",
        "_cork",
        "_is_closing",
        "_is_probe",
        "_outbox",
        "_peer",
        "_server",
        "_tcp",
        "_turn",
        "_unread",
        "_waiting",
        "due_tick",
        "session",
    )

    name: ClassVar[str] = "websocket"
    _tcp: asyncio.Transport
    # Of a probe alone.
    _peer: str

    def __init__(
        self,
        server: "EngineServer",
        session: Session,
        *,
        is_probe: bool = False,
        connections: set[Any],
    ) -> None:
        super().__init__(server.limits.max_payload, server.limits.max_fragments)
        self.session = session
        self.due_tick = 0
        self._server = server
        self._connections = connections
        self._is_probe = is_probe
        self._is_closing = False
        self._turn = 0
        self._cork: list[bytes] | None = None
        # Exists while the kernel takes nothing more for this client.
        self._outbox: Outbox[bytes] | None = None
        # Messages that wait behind a pause in reading.
        self._unread: Iterator[frames.Message] | None = None
        # Bytes that waited at the last look of the write deadline.
        self._waiting = 0

    # Life of the connection: called by the event loop.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take over the byte stream; the opening handshake has been answered on it."""
        self._tcp = transport
        if transport.get_extra_info("sslcontext") is None:
            # With a limit of 0 the loop writes to the kernel at once, and pause_writing
            # tells exactly when the kernel takes no more. TLS has records to fill first.
            transport.set_write_buffer_limits(high=0)
        if transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]:
            # Left from an HTTP answer; its own protocol was told, and nobody will be told again. Less than
            # that, as TLS leaves behind its handshake, is no pause: nobody would be told of its end.
            self.pause_writing()
        self._connections.add(self)
        if self._is_probe:
            # No session of this address has it yet, and an address may hold so much of what no session has.
            self._peer = peer_of(transport)
            self._server.came(self._peer)
            start_probe(self._server, self)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client, in any cut."""
        try:
            if self._unread is None:
                messages = self.feed(data)
                if type(messages) is not tuple:
                    self._take_several(iter(messages))
                elif len(messages) == 1 and type(packet := messages[0][1]) is str and not self._is_probe:
                    # What _take would do with the commonest message: one text, nothing behind it.
                    if not self._is_closing:
                        self.session.packet_received(packet)
                else:
                    self._take(iter(messages))
            else:
                # Reading was paused, and the loop had read already.
                self._unread = chain(self._unread, self.feed(data))
        except FrameError as error:
            self._broken(error)

    def fragment_taken(self) -> None:
        """Count it: a message in a thousand frames costs what a thousand messages do."""
        if not self._is_closing:
            self.session.take_frame()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, if this was its transport."""
        self._is_closing = True
        self._connections.discard(self)
        self._server.wheel.cancel(self)
        self._cork = self._outbox = self._unread = None
        if not self._is_probe:
            self.session.lost(self, TRANSPORT_CLOSE if exc is None else TRANSPORT_ERROR)
            return
        self._server.went(self._peer)
        if self.session.upgrading is self:
            self.session.upgrading = None

    def pause_writing(self) -> None:
        """Collect from now on: the kernel's buffer is full."""
        if self._outbox is None:
            self._outbox = Outbox(self._server.limits)
            self._waiting = self._tcp.get_write_buffer_size()
            # A probe goes on to its own deadline, which it must not shake off by reading late.
            if not self._is_closing and not self._is_probe:
                self._server.wheel.schedule(self, self._server.limits.write_deadline_s)

    def resume_writing(self) -> None:
        """Send what was collected, in one write."""
        outbox = self._outbox
        self._outbox = None
        if outbox is None or self._is_closing:
            return
        if not self._is_probe:
            self._server.wheel.cancel(self)
        if outbox:
            # May stall again at once; then pause_writing makes the next outbox.
            self._tcp.write(b"".join(outbox.take()))
        self.session.taken()

    def shutdown(self) -> None:
        """Close with 1001; called by uvicorn when it exits."""
        self._server.end_polls()
        if self._is_probe:
            self.close_with(frames.GOING_AWAY, SHUTTING_DOWN)
        else:
            self.session.close(SHUTTING_DOWN)

    def on_due(self, now: float) -> float | None:  # noqa: ARG002 — an Entry gets the time
        """Cut a connection that does not go on: writing, closing or probing."""
        if self._is_closing or self._is_probe:
            self._tcp.abort()
            return None
        if self._outbox is None:
            return None
        waiting = self._tcp.get_write_buffer_size()
        if waiting < self._waiting:
            # A slow link is not a dead one: as long as bytes leave, it may take its time.
            self._waiting = waiting
            return self._server.limits.write_deadline_s
        self._cut_slow()
        return None

    # What a session asks for.

    @property
    def is_stalled(self) -> bool:
        """The kernel takes nothing more for this client now."""
        return self._outbox is not None

    @property
    def queued(self) -> int:
        """Bytes that the kernel has not taken."""
        return 0 if self._outbox is None else self._outbox.size + self._tcp.get_write_buffer_size()

    def send(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Send at once when nothing waits, else in order; False when dropped or closed."""
        server = self._server
        if self._turn == server.turn or self._outbox is not None or self._is_closing or self._cork is not None:
            return self.defer(packet, ephemeral)
        self._turn = server.turn
        if not server.turn_ends:
            server.end_turn_soon()
        self._tcp.write(packet.frame)
        return not self._is_closing

    def defer(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Send at the end of this loop turn, together with what else it brings."""
        if self._is_closing:
            return False
        if self._outbox is not None:
            return self._queue(packet.frame, ephemeral)
        cork = self._cork
        if cork is None:
            self._cork = [packet.frame]
            self._server.corked.append(self)
            if not self._server.turn_ends:
                self._server.end_turn_soon()
        else:
            cork.append(packet.frame)
            if packet.is_large or len(cork) >= _CORK_PACKETS:
                # A turn that never ends must not queue without bound.
                self.uncork()
        return True

    def uncork(self) -> None:
        """Write what this turn has collected; called at its end."""
        cork = self._cork
        self._cork = None
        if cork is None or self._is_closing:
            return
        if self._outbox is not None:
            for frame in cork:
                self._queue(frame, False)
        else:
            self._tcp.write(b"".join(cork))

    def close(self, reason: str, *, is_asked_for: bool = False) -> None:
        """Flush, then start the closing handshake; it has a deadline."""
        self.close_with(
            frames.NORMAL_CLOSURE if is_asked_for else CLOSE_CODES.get(reason, frames.NORMAL_CLOSURE), reason
        )

    def close_with(self, code: int, reason: str) -> None:
        """Flush, then start the closing handshake with this code."""
        if self._is_closing:
            return
        self.uncork()
        data = frames.encode_close(code, reason)
        if self._outbox is not None:
            data = b"".join(self._outbox.take()) + data
        self._is_closing = True
        self._tcp.write(data)
        if self._unread is not None:
            self._unread = None
            self._tcp.resume_reading()
        self._server.wheel.schedule(self, self._server.limits.close_deadline_s)

    def confirmed(self) -> None:
        """Be no probe any more: the session is about to go on with it."""
        self._is_probe = False
        self._server.went(self._peer)
        if self._outbox is None:
            self._server.wheel.cancel(self)
        else:
            self._server.wheel.schedule(self, self._server.limits.write_deadline_s)

    def abort(self) -> None:
        """Cut the connection."""
        self._is_closing = True
        self._tcp.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the client; what the loop has read already waits."""
        if self._unread is None and not self._is_closing:
            self._unread = iter(())
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Take again, first what waited."""
        unread = self._unread
        if unread is None:
            return
        self._unread = None
        if self._is_closing:
            return
        self._tcp.resume_reading()
        try:
            # May pause again.
            self._take(unread)
        except FrameError as error:
            self._broken(error)

    # Inside.

    def _take(self, messages: Iterator[frames.Message]) -> None:
        for opcode, payload in messages:
            if opcode == frames.TEXT or opcode == frames.BINARY:  # noqa: PLR1714 — twice as fast as `in`
                if self._is_closing:
                    continue
                if self._is_probe:
                    take_probe(self._server, self, payload)
                else:
                    self.session.packet_received(payload)
            elif isinstance(payload, str):
                raise AssertionError("control frames carry bytes")
            elif opcode == frames.CLOSE:
                self._close_received(payload)
            elif not self._is_closing and self.session.take_frame() and opcode == frames.PING:
                self._pong(payload)
            if self._unread is not None:
                self._unread = messages
                return

    def _take_several(self, messages: Iterator[frames.Message]) -> None:
        """Take what one read brought; the answers to it leave in one write."""
        turn, self._turn = self._turn, self._server.turn
        self._take(messages)
        if self._cork is None:
            self._turn = turn
        else:
            self.uncork()

    def _pong(self, payload: bytes) -> None:
        if self._outbox is not None:
            self._queue(frames.encode_frame(frames.PONG, payload), True)
        elif not self._is_closing:
            self._tcp.write(frames.encode_frame(frames.PONG, payload))

    def _close_received(self, payload: bytes) -> None:
        if not self._is_closing:
            self.uncork()
            self._is_closing = True
            # The same code back (RFC 6455, section 5.5.1), without the reason.
            self._tcp.write(frames.encode_frame(frames.CLOSE, payload[:2]))
            if not self._is_probe:
                self.session.lost(self, TRANSPORT_CLOSE)
        self._tcp.close()
        self._server.wheel.schedule(self, self._server.limits.close_deadline_s)

    def _broken(self, error: FrameError) -> None:
        if self._is_closing:
            return
        self._server.count("refused:malformed")
        self.close_with(error.code, error.reason)
        if not self._is_probe:
            self.session.lost(self, PARSE_ERROR)
        # After a fault no closing handshake can be read any more.
        self._tcp.close()

    def _queue(self, frame: bytes, ephemeral: bool) -> bool:
        outbox = self._outbox
        assert outbox is not None
        queued = outbox.add(frame, len(frame), ephemeral=ephemeral, beside=self._tcp.get_write_buffer_size())
        if queued is None:
            self._cut_slow()
            return False
        if not queued:
            self._server.count("dropped:ephemeral")
        return queued

    def _cut_slow(self) -> None:
        self._server.count("refused:slow")
        if self._is_probe:
            self.abort()
        else:
            self.session.abort(SLOW)
