"""
How a TCP connection becomes a WebSocket of ours, uvicorn's, or plain HTTP.

Two doors: ``WebSocketDoor`` for uvicorn's ``ws`` option gets requests that
uvicorn has parsed; ``FirstBytesDoor`` for its ``http`` option recognises our
upgrades in the first bytes, which halves the cost of a handshake, and leaves
everything else to uvicorn, with bounds on the request head that uvicorn lacks.
"""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from tocsin.engine import frames
from tocsin.engine import request as rq
from tocsin.engine.request import Refused, check_websocket, parse_head
from tocsin.engine.timer_wheel import Timer
from tocsin.engine.websocket import WebSocketTransport

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer


def _peer(tcp: asyncio.Transport) -> str:
    name = tcp.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else ""


def accept(server: "EngineServer", head: bytes, tcp: asyncio.Transport, connections: set[Any]) -> WebSocketTransport:
    """
    Answer a WebSocket handshake on ``server.path`` and start what it asks for.

    Args:
        server: Decides.
        head: The request head.
        tcp: The connection; 101 and the Engine.IO handshake are written to it.
        connections: uvicorn's set of what has to end before it exits.

    Returns:
        The transport, to be made the protocol of ``tcp``.

    Raises:
        Refused: Nothing was written.
    """
    scheme = "http" if tcp.get_extra_info("sslcontext") is None else "https"
    request = parse_head(head, _peer(tcp), scheme)
    query = request.query
    server.check_version(request)
    if query.get("transport") != "websocket":
        raise Refused(400, rq.UNKNOWN_TRANSPORT, "Transport unknown", "transport")
    key = check_websocket(request)
    server.check_origin(request)
    try:
        answer = frames.handshake_response(key)
    except ValueError:
        raise Refused(400, rq.BAD_REQUEST, "Bad request", "bad_request") from None
    sid = query.get("sid")
    if sid is None:
        session, handshake = server.open(server.admit(request), ())
        transport = WebSocketTransport(server, session, connections=connections)
        transport.connection_made(tcp)
        tcp.write(answer + handshake.frame)
        session.start(transport)
        return transport
    found = server.sessions.get(sid)
    if found is None:
        raise Refused(400, rq.UNKNOWN_SID, "Session ID unknown", "sid")
    tcp.write(answer)
    transport = WebSocketTransport(server, found, is_probe=True, connections=connections)
    transport.connection_made(tcp)
    return transport


def refuse(server: "EngineServer", tcp: asyncio.Transport, refused: Refused) -> None:
    """Answer an HTTP request with a refusal and close the connection."""
    server.count(f"refused:{refused.label}")
    body = refused.body
    retry = b"Retry-After: %d\r\n" % refused.retry_after_s if refused.retry_after_s else b""
    version = b"Sec-WebSocket-Version: 13\r\n" if refused.status == HTTPStatus.UPGRADE_REQUIRED else b""
    phrase = HTTPStatus(refused.status).phrase.encode()
    tcp.write(
        b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b%bConnection: close\r\n\r\n%b"
        % (refused.status, phrase, len(body), retry, version, body)
    )
    tcp.close()


class _Door(asyncio.Protocol):
    """A connection of which nothing is known yet."""

    __slots__ = ("_app_state", "_config", "_server", "_state", "_tcp", "due_tick")

    _tcp: asyncio.Transport

    def __init__(self, server: "EngineServer", config: Any, state: Any, app_state: dict[str, Any]) -> None:
        self.due_tick = 0
        self._server = server
        self._config = config
        self._state = state
        self._app_state = app_state

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._tcp = transport
        self._state.connections.add(self)
        self._server.wheel.schedule(self, self._server.limits.head_deadline_s)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's signature
        self._leave()

    def shutdown(self) -> None:
        """Close; called by uvicorn when it exits."""
        self._tcp.close()

    def on_due(self, now: float) -> None:  # noqa: ARG002 — an Entry gets the time
        """Cut a connection that asks for nothing or does not take its refusal."""
        self._tcp.abort()

    def _leave(self) -> None:
        self._state.connections.discard(self)
        self._server.wheel.cancel(self)

    def _accept(self, head: bytes) -> WebSocketTransport | None:
        try:
            transport = accept(self._server, head, self._tcp, self._state.connections)
        except Refused as refused:
            refuse(self._server, self._tcp, refused)
            return None
        self._leave()
        return transport


class WebSocketDoor(_Door):
    """Takes an upgrade request that uvicorn has parsed and written out again."""

    __slots__ = ("_successor",)

    def data_received(self, data: bytes) -> None:
        """Take the whole request head; then make way for the right protocol."""
        self._successor: asyncio.Protocol | None = None
        if self._tcp.is_closing():
            return
        # uvicorn makes this door the connection's protocol as soon as we return. Scheduled
        # before anything is written: the connection_lost that a refusal or a failing write
        # schedules has to find the successor.
        self._server.loop.call_soon(self._make_way)
        if len(data) > self._server.limits.max_header:
            refuse(self._server, self._tcp, Refused(431, rq.BAD_REQUEST, "Request head too big", "header"))
            return
        if self._server.owns(data.split(b" ", 2)[1].partition(b"?")[0]):
            self._successor = self._accept(data)
        else:
            assert AutoWebSocketsProtocol is not None
            successor = AutoWebSocketsProtocol(config=self._config, server_state=self._state, app_state=self._app_state)
            self._leave()
            self._successor = successor
            successor.connection_made(self._tcp)
            successor.data_received(data)

    def _make_way(self) -> None:
        if self._successor is not None:
            self._tcp.set_protocol(self._successor)


class FirstBytesDoor(_Door):
    """Looks at the first bytes of a connection: our upgrade, or anything else."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Take the first bytes; then make way for the right protocol."""
        if self._tcp.is_closing():
            return
        end = data.find(b"\r\n\r\n") + 4
        if (
            data.startswith(self._server.upgrade_prefix)
            and 4 <= end <= self._server.limits.max_header
            and self._asks_for_websocket(data[4 : data.find(b" ", 4, end)])
        ):
            transport = self._accept(data[:end])
            if transport is not None:
                self._tcp.set_protocol(transport)
                if len(data) > end:
                    # A client that did not wait for the answer; uvicorn would drop this.
                    transport.data_received(data[end:])
            return
        self._leave()
        successor = BoundedHttp(self._server, self._config, self._state, self._app_state)
        self._tcp.set_protocol(successor)
        successor.connection_made(self._tcp)
        successor.data_received(data)

    def _asks_for_websocket(self, target: bytes) -> bool:
        path, _, query = target.partition(b"?")
        return b"transport=websocket" in query.split(b"&") and self._server.owns(path)


class BoundedHttp(HttpToolsProtocol):
    """
    uvicorn's HTTP/1.1 with bounds on what a client may make it hold, and for how long.

    A request head is bounded in size and time. A client that neither goes on with the
    request it has begun nor takes the answer it has asked for is cut. Trailers are dropped:
    merged into the headers, as uvicorn would, they are fields that no proxy has checked.
    """

    def __init__(self, server: "EngineServer", config: Any, state: Any, app_state: dict[str, Any]) -> None:
        super().__init__(config, state, app_state, server.loop)
        self.due_tick = 0
        self._engine = server
        self._head = 0
        # Bytes since the parser last got anywhere.
        self._trickled = 0
        self._is_head = True
        self._is_upgraded = False
        # The request being answered; uvicorn's ``cycle`` is the newest, which may wait behind it.
        self._answering: Any = None
        # Bytes that waited at the last look at a client that does not take its answer.
        self._waiting = 0
        self._stall: Timer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let ``pause_writing`` tell whenever the kernel takes no more, as on a WebSocket."""
        super().connection_made(transport)
        if transport.get_extra_info("sslcontext") is None:
            transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Parse; bound what comes in many reads and never gets anywhere."""
        self._trickled += len(data)
        super().data_received(data)
        if self.due_tick:
            # A field is only given to on_header when it is whole, which an endless one never is.
            if self._trickled > self._engine.limits.max_header:
                self._cut()
        elif self._is_idle:
            # Empty lines, which may come before a request, have ended uvicorn's own keep-alive.
            self._engine.wheel.schedule(self, self._engine.limits.head_deadline_s)

    def on_message_begin(self) -> None:
        """Start counting."""
        self._head = self._trickled = 0
        self._is_head = True
        self._engine.wheel.schedule(self, self._engine.limits.head_deadline_s)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a field."""
        self._count(len(name) + len(value))
        if self._is_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on with the body."""
        self._is_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Give the client time for the next part: a slow link is not a dead one."""
        self._trickled = 0
        self._engine.wheel.schedule(self, self._engine.limits.head_deadline_s)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Lift the deadline."""
        self._trickled = 0
        self._engine.wheel.cancel(self)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Make way; not while an answer is under way, which would never end and run into the WebSocket."""
        if self._is_answering:
            self._cut()
            return
        self._is_upgraded = True
        self._lift()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Watch whether the client takes its answer."""
        super().pause_writing()
        self._waiting = self.transport.get_write_buffer_size()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Stop watching: it has taken all."""
        self._lift_stall()
        super().resume_writing()

    def on_due(self, now: float) -> float | None:  # noqa: ARG002 — an Entry gets the time
        """Cut a client that does not go on with its request."""
        if self.flow.read_paused:
            # The application takes no more at the moment: the client can't go on.
            return self._engine.limits.head_deadline_s
        self._cut()
        return None

    def shutdown(self) -> None:
        """Close when the answer is out; called by uvicorn when it exits."""
        self._engine.end_polls()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Lift the deadlines; let whoever answers know that nobody listens."""
        self._lift()
        if self._is_answering:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    @property
    def _is_idle(self) -> bool:
        return not (
            self._is_answering or self.timeout_keep_alive_task or self._is_upgraded or self.transport.is_closing()
        )

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > self._engine.limits.max_header:
            self._engine.count("refused:header")
            raise ValueError("request head too big")

    def _watch_stall(self) -> None:
        self._stall = self._engine.wheel.call_later(self._engine.limits.head_deadline_s, self._check_stall)

    def _check_stall(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < self._waiting:
            self._waiting = waiting
            self._watch_stall()
        else:
            self._engine.count("refused:slow")
            self.transport.abort()

    def _lift_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _lift(self) -> None:
        self._engine.wheel.cancel(self)
        self._lift_stall()

    def _cut(self) -> None:
        self._engine.count("refused:header")
        self.transport.abort()
