"""
The WebSocket transport of a session over the plain ASGI interface.

For servers whose ``ws`` option is not the engine's: a client sees no difference.
Frames, fragments and pings are the server's here, and so is the closing handshake;
``websocket.py`` has them itself, and is several times as fast.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, runtime_checkable

from tocsin.engine import frames
from tocsin.engine import request as rq
from tocsin.engine.outbox import Outbox
from tocsin.engine.packets import EncodedPacket
from tocsin.engine.polling import Receive, Send
from tocsin.engine.probe import start_probe, take_probe
from tocsin.engine.request import Refused, Scope, check_size, parse_scope
from tocsin.engine.session import PARSE_ERROR, SHUTTING_DOWN, SLOW, TRANSPORT_CLOSE, TRANSPORT_ERROR, Session
from tocsin.engine.websocket import CLOSE_CODES

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer

# What one loop turn brings waits for its end whether the client reads or not: until then it has more room.
_TURN_ROOM: Final = 8
_READ_AT_ONCE: Final = 64
_SERVICE_RESTART: Final = 1012
_HANG_UP_S: Final = 0.1


@runtime_checkable
class _Tcp(Protocol):
    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int: ...


class AsgiTransport:
    """
    One WebSocket connection of an ASGI server; first maybe a probe, then a session's transport.

    At rest it has one task, the server's own, which waits in ``receive``. A second one
    lives while something waits to be sent, so that nobody else waits for this client.

    Args:
        server: The server that it belongs to.
        session: The session whose transport it is or wants to become.
        send: ASGI's, of this connection; the opening handshake has not been answered yet.
        is_probe: It wants to become one.
    """

    __slots__ = (
        "_farewell",
        "_is_accepted",
        "_is_closing",
        "_is_probe",
        "_outbox",
        "_progress",
        "_reading",
        "_resumed",
        "_send",
        "_sends",
        "_server",
        "_tcp",
        "_writer",
        "due_tick",
        "session",
    )

    name: ClassVar[str] = "websocket"

    def __init__(self, server: "EngineServer", session: Session, send: Send, *, is_probe: bool = False) -> None:
        self.session = session
        self.due_tick = 0
        self._server = server
        self._send = send
        self._is_probe = is_probe
        self._is_accepted = False
        self._is_closing = False
        self._farewell: tuple[int, str] | None = None
        # Exists while something waits; the writer is taking from it, or will when this turn ends.
        self._outbox: Outbox[EncodedPacket] | None = None
        self._writer: asyncio.Task[None] | None = None
        # Sends begun in the life of this writer; while there are any, the server holds one up.
        self._sends = 0
        # What the last look of the write deadline saw.
        self._progress = (0, 0)
        self._reading: asyncio.Timeout | None = None
        self._resumed: asyncio.Future[None] | None = None
        # ASGI has no way to cut a connection. uvicorn's ``send`` is a method of its protocol, whose
        # transport has one; elsewhere the connection of a client that takes nothing is the server's care.
        tcp = getattr(getattr(send, "__self__", None), "transport", None)
        self._tcp = tcp if isinstance(tcp, _Tcp) else None

    async def run(self, receive: Receive) -> None:
        """Carry the session until either side ends it; to be awaited by the server's task."""
        reason = TRANSPORT_ERROR
        try:
            # A cancel scope without a deadline: ``_stop_reading`` sets one that is over.
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as self._reading:
                    reason = await self._read(receive)
            self._reading = None
            if self._writer is not None:
                # The server hangs up as soon as we return.
                await asyncio.wait((self._writer,))
        except asyncio.CancelledError:
            reason = SHUTTING_DOWN
            raise
        finally:
            self._end(reason)

    def accept(self) -> None:
        """Answer the opening handshake, before anything else is sent."""
        self._start_writing()

    def on_due(self, now: float) -> float | None:  # noqa: ARG002 — an Entry gets the time
        """End a connection that does not go on: writing, closing or probing."""
        if self._is_closing:
            self.abort()
            return None
        if self._is_probe:
            self.close_with(frames.POLICY_VIOLATION, "upgrade timeout")
            return None
        if self._writer is None:
            return None
        progress = self._look()
        if progress != self._progress:
            # A slow link is not a dead one: as long as bytes leave, it may take its time.
            self._progress = progress
            return self._server.limits.write_deadline_s
        self._cut_slow()
        return None

    # What a session asks for.

    @property
    def is_stalled(self) -> bool:
        """The server has not taken yet what waits for this client."""
        return self._writer is not None

    @property
    def queued(self) -> int:
        """Bytes that the server has not taken."""
        return 0 if self._outbox is None else self._outbox.size

    def send(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Send when this loop turn ends, in order; False when dropped or closed."""
        if self._is_closing:
            return False
        outbox = self._outbox
        if outbox is None:
            outbox = self._outbox = Outbox(self._server.limits)
        queued = outbox.add(packet, packet.size, ephemeral=ephemeral, room=1 if self._sends else _TURN_ROOM)
        if queued is None:
            self._cut_slow()
            return False
        if not queued:
            self._server.count("dropped:ephemeral")
        elif self._writer is None:
            self._start_writing()
        return queued

    defer = send

    def close(self, reason: str, *, is_asked_for: bool = False) -> None:
        """Flush, then let the server close; it has a deadline."""
        self.close_with(
            frames.NORMAL_CLOSURE if is_asked_for else CLOSE_CODES.get(reason, frames.NORMAL_CLOSURE), reason
        )

    def close_with(self, code: int, reason: str) -> None:
        """Flush, then let the server close with this code."""
        if self._is_closing:
            return
        self._is_closing = True
        self._farewell = code, frames.cut_reason(reason)
        if self._writer is None:
            self._start_writing()
        self._server.wheel.schedule(self, self._server.limits.close_deadline_s)
        self._stop_reading()

    def confirmed(self) -> None:
        """Be no probe any more: the session is about to go on with it."""
        self._is_probe = False
        self._server.wheel.cancel(self)

    def abort(self) -> None:
        """Cut the connection, where the server lets us; else leave it to the server."""
        self._is_closing = True
        self._outbox = self._farewell = None
        if self._writer is not None:
            self._writer.cancel()
        self._stop_reading()
        if self._tcp is not None:
            self._tcp.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the client; the server stops reading in its turn."""
        if self._resumed is None and not self._is_closing:
            self._resumed = self._server.loop.create_future()

    def resume_reading(self) -> None:
        """Take again."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None and not resumed.done():
            resumed.set_result(None)

    # Inside: reading.

    async def _read(self, receive: Receive) -> str:
        """Take messages until there are no more; return why."""
        taken = 0
        while not self._is_closing:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self._is_closing = True
                if self._writer is not None:
                    self._writer.cancel()
                return SHUTTING_DOWN if message.get("code") == _SERVICE_RESTART else TRANSPORT_CLOSE
            text = message.get("text")
            self._take(bytes(message["bytes"]) if text is None else text)
            while (resumed := self._resumed) is not None:
                await resumed
            taken += 1
            if not taken % _READ_AT_ONCE:
                # ``receive`` does not wait for what has come already, and answers have to leave.
                await asyncio.sleep(0)
        return TRANSPORT_ERROR

    def _take(self, packet: str | bytes) -> None:
        if _exceeds(packet, self._server.limits.max_payload):
            self._server.count("refused:malformed")
            self.close_with(frames.MESSAGE_TOO_BIG, "message too big")
            if not self._is_probe:
                self.session.lost(self, PARSE_ERROR)
        elif self._is_probe:
            take_probe(self._server, self, packet)
        else:
            self.session.packet_received(packet)

    def _stop_reading(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.reschedule(0.0)

    # Inside: writing.

    def _start_writing(self) -> None:
        self._writer = self._server.loop.create_task(self._write())
        if not self._is_probe and not self._is_closing:
            self._progress = self._look()
            self._server.wheel.schedule(self, self._server.limits.write_deadline_s)

    async def _write(self) -> None:
        """Send what waits, and what comes meanwhile; ends when nothing waits."""
        send = self._send
        try:
            if not self._is_accepted:
                self._is_accepted = True
                self._sends += 1
                await send({"type": "websocket.accept"})
            while self._outbox:
                (packet,) = self._outbox.take(1)
                if packet.text:
                    self._sends += 1
                    await send({"type": "websocket.send", "text": packet.text.decode()})
                for data in packet.attachments:
                    self._sends += 1
                    await send({"type": "websocket.send", "bytes": data})
            if self._farewell is not None:
                self._sends += 1
                await self._send_farewell(*self._farewell)
        except Exception:  # noqa: BLE001 — an OSError where the client has gone (ASGI, "Send"), anything where the server closed
            self._is_closing = True
            self._stop_reading()
            if not self._is_probe:
                self.session.lost(self, TRANSPORT_ERROR)
        finally:
            self._sends = 0
            self._outbox = self._writer = None
        if not self._is_closing and not self._is_probe:
            self._server.wheel.cancel(self)
            self.session.taken()

    async def _send_farewell(self, code: int, reason: str) -> None:
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            raise
        except Exception:  # noqa: BLE001 — Daphne's Autobahn raises just that
            # It keeps the codes of RFC 6455 but this one to itself; clients come back after any.
            await self._send({"type": "websocket.close", "code": frames.NORMAL_CLOSURE, "reason": reason})

    def _look(self) -> tuple[int, int]:
        return self._sends, 0 if self._tcp is None else self._tcp.get_write_buffer_size()

    def _cut_slow(self) -> None:
        self._server.count("refused:slow")
        if self._is_probe:
            self.abort()
        else:
            self.session.abort(SLOW)

    def _end(self, reason: str) -> None:
        self._is_closing = True
        self._reading = self._outbox = None
        if self._writer is not None:
            self._writer.cancel()
        self._server.wheel.cancel(self)
        if not self._is_probe:
            self.session.lost(self, reason)
        elif self.session.upgrading is self:
            self.session.upgrading = None


class AsgiWebSocket:
    """
    ASGI application for the WebSockets on the server's path.

    Args:
        server: Whose sessions it carries.
    """

    def __init__(self, server: "EngineServer") -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one opening handshake, and carry what it asks for to its end."""
        self._server.bind()
        if (await receive())["type"] != "websocket.connect":
            return
        try:
            transport = self._open(scope, send)
        except Refused as refused:
            self._server.count(f"refused:{refused.label}")
            await _refuse(scope, send, refused)
            return
        await transport.run(receive)

    def _open(self, scope: Scope, send: Send) -> AsgiTransport:
        server = self._server
        check_size(scope, server.limits.max_header)
        request = parse_scope(scope)
        server.check_version(request)
        if request.query.get("transport") != "websocket":
            raise Refused(400, rq.UNKNOWN_TRANSPORT, "Transport unknown", "transport")
        server.check_origin(request)
        sid = request.query.get("sid")
        if sid is None:
            session, handshake = server.open(server.admit(request), ())
            transport = AsgiTransport(server, session, send)
            transport.send(handshake)
            session.start(transport)
            return transport
        found = server.sessions.get(sid)
        if found is None:
            raise Refused(400, rq.UNKNOWN_SID, "Session ID unknown", "sid")
        probe = AsgiTransport(server, found, send, is_probe=True)
        probe.accept()
        start_probe(server, probe)
        return probe


async def _refuse(scope: Scope, send: Send, refused: Refused) -> None:
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        # Before the handshake is answered, a close is a 403 (ASGI, "Close").
        await send({"type": "websocket.close", "code": frames.POLICY_VIOLATION, "reason": refused.message})
        return
    body = refused.body
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if refused.retry_after_s:
        headers.append((b"retry-after", b"%d" % refused.retry_after_s))
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
    # uvicorn logs an error when the application returns before the connection it has just closed is gone.
    await asyncio.sleep(_HANG_UP_S)


def _exceeds(packet: str | bytes, max_bytes: int) -> bool:
    # A character is at most four bytes: nearly every text is judged without a look at it.
    if isinstance(packet, bytes) or len(packet) > max_bytes or len(packet) * 4 <= max_bytes:
        return len(packet) > max_bytes
    return len(packet.encode()) > max_bytes
