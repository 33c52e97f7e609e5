"""
The long-polling transport of a session, and the ASGI route that carries it.

GET collects packets, POST brings them (Engine.IO v4, "HTTP long-polling").
Nothing that was dropped is answered ``ok``: what is malformed, oversized or out
of turn gets 400 and ends the session.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tocsin.engine import request as rq
from tocsin.engine.outbox import Outbox
from tocsin.engine.packets import CLOSE, NOOP, EncodedPacket, MalformedPacket
from tocsin.engine.payload import decode_payload, encode_payload
from tocsin.engine.request import Refused, Request, Scope, check_size, parse_scope
from tocsin.engine.session import SLOW, TRANSPORT_CLOSE, TRANSPORT_ERROR, Session

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_TEXT: Final = b"text/plain; charset=UTF-8"
_JSON: Final = b"application/json"
# python-engineio, as a client, gives up on an answer of more packets.
_MAX_PACKETS: Final = 16


class PollingTransport:
    """
    What a polling session says, kept until the next GET.

    Args:
        server: The server that it belongs to.
        session: The session whose transport it is.
    """

    __slots__ = ("_farewell", "_outbox", "_poll", "_resumed", "_server", "is_posting", "session")

    name: ClassVar[str] = "polling"

    def __init__(self, server: "EngineServer", session: Session) -> None:
        self.session = session
        self.is_posting = False
        self._server = server
        self._outbox: Outbox[EncodedPacket] = Outbox(server.limits)
        # The GET that waits; done when there is something to answer.
        self._poll: asyncio.Future[None] | None = None
        # The last packet, once the session is over.
        self._farewell: EncodedPacket | None = None
        self._resumed: asyncio.Future[None] | None = None

    # What a session asks for.

    @property
    def is_stalled(self) -> bool:
        """Something waits for the next GET."""
        return bool(self._outbox)

    @property
    def queued(self) -> int:
        """Bytes that wait for the next GET."""
        return self._outbox.size

    def send(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Keep for the next GET, or answer the one that waits when this loop turn ends."""
        if self._farewell is not None:
            return False
        queued = self._outbox.add(packet, packet.size, ephemeral=ephemeral)
        if queued is None:
            self._server.count("refused:slow")
            self.session.abort(SLOW)
            return False
        if not queued:
            self._server.count("dropped:ephemeral")
            return False
        self._wake()
        return True

    defer = send

    def close(self, reason: str, *, is_asked_for: bool = False) -> None:  # noqa: ARG002 — polling tells no reason
        """Give the waiting GET what is left and the last packet."""
        self._farewell = NOOP if is_asked_for else CLOSE
        self.resume_reading()
        self._wake()
        if self._poll is None:
            # The session is known to nobody any more: no other GET will come for what is left.
            self._outbox.take()
            self._let_go()

    def abort(self) -> None:
        """Give the waiting GET the last packet only."""
        self._outbox.take()
        self.close("")

    def pause_reading(self) -> None:
        """Keep POSTs unanswered."""
        if self._resumed is None:
            self._resumed = self._server.loop.create_future()

    def resume_reading(self) -> None:
        """Answer POSTs again."""
        if self._resumed is not None:
            self._resumed.set_result(None)
            self._resumed = None

    def release(self) -> None:
        """End the pending poll, so that the client can confirm the upgrade."""
        self._wake()

    def hand_over(self) -> list[EncodedPacket]:
        """Stop being the transport; return the packets that still wait, in order."""
        self._farewell = NOOP
        packets = self._outbox.take()
        # A pause that ends from now on ends on the other transport.
        self.resume_reading()
        self._wake()
        return packets

    # What the route asks for.

    @property
    def is_polled(self) -> bool:
        """A GET waits."""
        return self._poll is not None

    async def collect(self, receive: Receive) -> list[EncodedPacket]:
        """
        Wait until there is something to say; return it.

        Raises:
            ConnectionError: The client hung up first; the session is over.
        """
        if not self._has_answer():
            self._poll = poll = self._server.loop.create_future()
            watch = self._server.loop.create_task(_hung_up(receive, poll))
            try:
                await poll
            finally:
                self._poll = None
                watch.cancel()
            if not self._has_answer():
                self.session.lost(self, TRANSPORT_CLOSE)
                raise ConnectionError("the client hung up")
        # The last answer has to hold all that is left.
        packets = self._outbox.take(_MAX_PACKETS if self._farewell is None else None)
        self.session.taken()
        # A hand-over has taken the packets along; a noop alone ends a poll that has nothing.
        if self._farewell is CLOSE or (self._farewell is not None and not packets):
            packets.append(self._farewell)
        if self._farewell is not None:
            self._let_go()
        return packets or [NOOP]

    async def resumed(self) -> None:
        """Wait while reading is paused."""
        if self._resumed is not None:
            await asyncio.shield(self._resumed)

    def _has_answer(self) -> bool:
        return bool(self._outbox) or self._farewell is not None or self.session.upgrading is not None

    def _let_go(self) -> None:
        """Be the transport no more: the session, which is over, and this would keep each other and all that waits."""
        self.session.lost(self, TRANSPORT_CLOSE)

    def _wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)


async def _hung_up(receive: Receive, poll: "asyncio.Future[None]") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if not poll.done():
        poll.set_result(None)


class Polling:
    """
    ASGI application for the requests on the server's path.

    Args:
        server: Whose sessions it carries.
    """

    def __init__(self, server: "EngineServer") -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        self._server.bind()
        request = parse_scope(scope)
        cors: Headers = [(b"vary", b"Origin")]
        try:
            check_size(scope, self._server.limits.max_header)
            origin = self._server.check_origin(request)
            if origin is not None:
                cors.append((b"access-control-allow-origin", origin.encode("latin-1")))
                cors.append((b"access-control-allow-credentials", b"true"))
            if request.method == "OPTIONS":
                await _answer(send, 204, b"", _TEXT, cors + _PREFLIGHT)
                return
            owner = None if self._server.siblings is None else self._server.siblings.owner(request.query.get("sid", ""))
            if owner is not None and self._server.siblings is not None:
                await self._server.siblings.forward(owner, scope, receive, send)
                return
            await self._serve(request, receive, send, cors)
        except Refused as refused:
            self._server.count(f"refused:{refused.label}")
            retry: Headers = [(b"retry-after", b"%d" % refused.retry_after_s)] if refused.retry_after_s else []
            await _answer(send, refused.status, refused.body, _JSON, cors + retry)

    async def _serve(self, request: Request, receive: Receive, send: Send, cors: Headers) -> None:
        server = self._server
        server.check_version(request)
        if request.query.get("transport") != "polling":
            raise Refused(400, rq.UNKNOWN_TRANSPORT, "Transport unknown", "transport")
        sid = request.query.get("sid")
        if sid is None:
            if request.method != "GET":
                raise Refused(400, rq.BAD_METHOD, "Bad handshake method", "method")
            await self._open(request, send, cors)
            return
        session = server.sessions.get(sid)
        if session is not None and session.has_expired(server.loop.time()):
            session.on_due(server.loop.time())
            session = None
        transport = None if session is None or session.closed else session.transport
        if transport is None:
            raise Refused(400, rq.UNKNOWN_SID, "Session ID unknown", "sid")
        if not isinstance(transport, PollingTransport):
            raise Refused(400, rq.BAD_REQUEST, "Session is upgraded", "upgraded")
        if request.method == "GET":
            await self._get(transport, receive, send, cors)
        elif request.method == "POST":
            await self._post(transport, request, receive, send, cors)
        else:
            raise Refused(400, rq.BAD_METHOD, "Bad method", "method")

    async def _open(self, request: Request, send: Send, cors: Headers) -> None:
        session, handshake = self._server.open(self._server.admit(request), ("websocket",))
        session.start(PollingTransport(self._server, session))
        await _answer(send, 200, handshake.text, _TEXT, cors)

    async def _get(self, transport: PollingTransport, receive: Receive, send: Send, cors: Headers) -> None:
        if transport.is_polled:
            transport.session.close(TRANSPORT_ERROR)
            raise Refused(400, rq.BAD_REQUEST, "Another poll is waiting", "overlap")
        try:
            packets = await transport.collect(receive)
        except ConnectionError:
            return
        await _answer(send, 200, encode_payload(packets), _TEXT, cors)

    async def _post(
        self, transport: PollingTransport, request: Request, receive: Receive, send: Send, cors: Headers
    ) -> None:
        session = transport.session
        if transport.is_posting:
            session.close(TRANSPORT_ERROR)
            raise Refused(400, rq.BAD_REQUEST, "Another request is being read", "overlap")
        transport.is_posting = True
        try:
            try:
                # POSTs don't overlap: who is longer at one than a pong may take is gone anyway.
                async with asyncio.timeout(self._server.ping_interval + self._server.ping_timeout):
                    body = await _read(receive, request, self._server.limits.max_payload)
                if body is None:
                    return
                packets = decode_payload(body, self._server.limits.max_packets_per_post)
            except (MalformedPacket, TimeoutError):
                session.malformed()
                raise Refused(400, rq.BAD_REQUEST, "Bad request", "bad_request") from None
            packet: str | bytes = ""
            while packets and not session.closed:
                packet = packets.pop(0)
                session.packet_received(packet)
                await transport.resumed()
            if session.closed and (packets or packet != "1"):
                raise Refused(400, rq.BAD_REQUEST, "Bad request", "bad_request")
        finally:
            transport.is_posting = False
        await _answer(send, 200, b"ok", _TEXT, cors)


_PREFLIGHT: Final[Headers] = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Content-Type, Authorization"),
    (b"access-control-max-age", b"86400"),
]


async def _read(receive: Receive, request: Request, max_bytes: int) -> bytes | None:
    """Return the body, None when the client hung up before its end."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        # Never inflated: a small body could become any size.
        raise MalformedPacket("content encoding")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise MalformedPacket("body too big")
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: int, body: bytes, content_type: bytes, headers: Headers) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", b"%d" % len(body)),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
