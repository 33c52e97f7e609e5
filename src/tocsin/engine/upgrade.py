"""
How a TCP connection becomes a WebSocket of ours, uvicorn's, or plain HTTP.

Two doors: ``WebSocketDoor`` for uvicorn's ``ws`` option gets requests that
uvicorn has parsed; ``FirstBytesDoor`` for its ``http`` option recognises our
upgrades in the first bytes, which halves the cost of a handshake, and leaves
everything else to uvicorn, with the bounds of ``bounded_http.py``. A WebSocket
for a session of a sibling process is handed over (``siblings.py``).
"""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from tocsin.engine import frames
from tocsin.engine import request as rq
from tocsin.engine.bounded_http import BoundedHttp
from tocsin.engine.proxies import peer_of
from tocsin.engine.request import Refused, check_websocket, parse_head
from tocsin.engine.unread import has_unread
from tocsin.engine.websocket import WebSocketTransport

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer


class Elsewhere(Exception):
    """
    A WebSocket for a session of another process on this port.

    Attributes:
        owner: That process's number.
    """

    def __init__(self, owner: int) -> None:
        super().__init__(owner)
        self.owner = owner


def accept(
    server: "EngineServer", head: bytes, tcp: asyncio.Transport, peer: str, connections: set[Any]
) -> WebSocketTransport:
    """
    Answer a WebSocket handshake on ``server.path`` and start what it asks for.

    Args:
        server: Decides.
        head: The request head.
        tcp: The connection; 101 and the Engine.IO handshake are written to it.
        peer: The host at its other end.
        connections: uvicorn's set of what has to end before it exits.

    Returns:
        The transport, to be made the protocol of ``tcp``.

    Raises:
        Refused: Nothing was written.
        Elsewhere: Nothing was written; the session is a sibling's.
    """
    scheme = "http" if tcp.get_extra_info("sslcontext") is None else "https"
    request = parse_head(head, peer, scheme)
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
    if server.siblings is not None and (owner := server.siblings.owner(sid)) is not None:
        raise Elsewhere(owner)
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

    __slots__ = ("_app_state", "_config", "_peer", "_server", "_state", "_tcp", "due_tick")

    _tcp: asyncio.Transport

    def __init__(self, server: "EngineServer", config: Any, state: Any, app_state: dict[str, Any]) -> None:
        self.due_tick = 0
        self._server = server
        self._config = config
        self._state = state
        self._app_state = app_state

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._tcp = transport
        self._peer = peer_of(transport)
        self._state.connections.add(self)
        self._server.wheel.schedule(self, self._server.limits.head_deadline_s)
        if not self._server.came(self._peer):
            self._server.count("refused:address")
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's signature
        self._leave()

    def shutdown(self) -> None:
        """Close, unless its request is there; called by uvicorn when it exits."""
        if not has_unread(self._tcp):
            self._tcp.close()

    def on_due(self, now: float) -> None:  # noqa: ARG002 — an Entry gets the time
        """Cut a connection that asks for nothing or does not take its refusal."""
        self._tcp.abort()

    def _leave(self) -> None:
        self._state.connections.discard(self)
        self._server.wheel.cancel(self)
        self._server.went(self._peer)
        self._peer = ""

    def _accept(self, head: bytes, rest: bytes = b"") -> WebSocketTransport | None:
        try:
            try:
                transport = accept(self._server, head, self._tcp, self._peer, self._state.connections)
            except Elsewhere as elsewhere:
                self._hand_over(elsewhere.owner, head + rest)
                return None
        except Refused as refused:
            refuse(self._server, self._tcp, refused)
            return None
        self._leave()
        return transport

    def _hand_over(self, owner: int, data: bytes) -> None:
        assert self._server.siblings is not None
        # What the client says from now on is for the other process.
        self._tcp.pause_reading()
        self._server.siblings.hand_over(owner, self._tcp.get_extra_info("socket").fileno(), data)
        # Ends our descriptor alone: the connection is open in the other process.
        self._tcp.abort()


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
            transport = self._accept(data[:end], data[end:])
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


class HandedDoor(FirstBytesDoor):
    """A connection that a sibling handed over, with what it had read of it."""

    __slots__ = ("_data",)

    def __init__(self, server: "EngineServer", config: Any, state: Any, app_state: dict[str, Any], data: bytes) -> None:
        super().__init__(server, config, state, app_state)
        self._data = data

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Go on where the sibling stopped reading."""
        super().connection_made(transport)
        self.data_received(self._data)
