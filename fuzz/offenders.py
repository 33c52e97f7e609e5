"""Clients that may do anything: by WebSocket, ours or another server's, by polling, and as a probe."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from tests.unit.engine.fakes import FakeTcp, scope
from tocsin.engine.frames import BINARY, CLOSE, TEXT, FrameError, FrameParser
from tocsin.engine.server import SocketServer
from tocsin.engine.websocket import WebSocketTransport

ADDRESS = "203.0.113.5"


class Offender:
    """
    One client; what it can't do, it leaves.

    Attributes:
        session: Its session, also when that is over.
        transport: What it came by.
    """

    session: Any
    transport: Any

    def read(self, data: bytes) -> None:
        """Send bytes."""

    def get(self) -> None:
        """Ask for what waits."""

    def stall(self) -> None:
        """Take nothing more."""

    def flow(self) -> None:
        """Take everything again."""

    def hang(self) -> None:
        """End the connection without a word."""

    def lose(self) -> None:
        """Do what the event loop does once the server has closed the connection."""


class WebSocketOffender(Offender):
    """A client on a WebSocket of its own."""

    def __init__(self, server: SocketServer) -> None:
        self.session, _ = server.open(ADDRESS, ())
        self._connect(server, is_probe=False)
        self.session.start(self.transport)

    def _connect(self, server: SocketServer, *, is_probe: bool) -> None:
        self.tcp = FakeTcp(ADDRESS)
        self.is_lost = False
        self.transport = WebSocketTransport(server, self.session, is_probe=is_probe, connections=set())
        self.tcp.protocol = self.transport
        self.transport.connection_made(self.tcp)

    def read(self, data: bytes) -> None:
        """Bytes arrive, unless the server takes none now: then the kernel would keep them."""
        if not self.is_lost and self.tcp.is_reading and not self.tcp.is_closing():
            self.transport.data_received(data)

    def stall(self) -> None:
        """The kernel's buffer is full from now on."""
        self.tcp.is_full = True

    def flow(self) -> None:
        """The kernel's buffer is empty."""
        self.tcp.writes.clear()
        if not self.tcp.is_full:
            return
        if self.tcp.get_write_buffer_size() and not self.is_lost:
            self.tcp.leave()
        else:
            self.tcp.is_full = False

    def hang(self) -> None:
        """End with a reset."""
        if not self.is_lost:
            self.is_lost = True
            self.tcp.abort()
            self.transport.connection_lost(ConnectionResetError())

    def lose(self) -> None:
        """Closed, and all that was written has left: the connection is lost."""
        is_over = self.tcp.is_aborted or (self.tcp.is_closing() and not self.tcp.get_write_buffer_size())
        if is_over and not self.is_lost:
            self.is_lost = True
            self.transport.connection_lost(None)


class Probe(WebSocketOffender):
    """A WebSocket that wants to become the transport of a polling session."""

    def __init__(self, server: SocketServer, session: Any) -> None:
        self.session = session
        self._connect(server, is_probe=True)


class Poller(Offender):
    """A client that polls; its requests may overlap."""

    def __init__(self, server: SocketServer) -> None:
        self._server = server
        self._hung_up = asyncio.Event()
        self._requests: set[asyncio.Task[int]] = set()

    async def open(self) -> None:
        """Begin a session."""
        before = set(self._server.sessions)
        assert await self._request("GET", "EIO=4&transport=polling") == 200
        (sid,) = set(self._server.sessions) - before
        self._query = f"EIO=4&transport=polling&sid={sid}"
        self.session = self._server.sessions[sid]
        self.transport = self.session.transport

    def read(self, data: bytes) -> None:
        """Send a POST."""
        self._start("POST", data)

    def get(self) -> None:
        """Poll."""
        self._start("GET", b"")

    def hang(self) -> None:
        """End every request that waits."""
        self._hung_up.set()
        self._hung_up = asyncio.Event()

    def lose(self) -> None:
        """See that nothing but an answer came out of a request."""
        for task in [task for task in self._requests if task.done()]:
            self._requests.discard(task)
            assert task.result() in (0, 200, 400)

    def _start(self, method: str, body: bytes) -> None:
        self._requests.add(asyncio.get_running_loop().create_task(self._request(method, self._query, body)))

    async def _request(self, method: str, query: str, body: bytes = b"") -> int:
        """Return the status of the answer, 0 where the client hung up before it."""
        hung_up = self._hung_up
        incoming: list[dict[str, Any]] = [{"type": "http.request", "body": body}]
        status = 0

        async def receive() -> dict[str, Any]:
            if incoming:
                return incoming.pop()
            await hung_up.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        await self._server.polling(scope(method, query, path="/socket.io/", client=(ADDRESS, 50000)), receive, send)
        return status


class AsgiOffender(Offender):
    """
    A client on a WebSocket of another server, over plain ASGI; what that server refuses ends it.

    Args:
        server: The engine.
        session: The polling session that it wants to upgrade; None: it wants one of its own.
    """

    def __init__(self, server: SocketServer, session: Any = None) -> None:
        self._frames = FrameParser(server.limits.max_payload * 2, server.limits.max_fragments)
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._messages.put_nowait({"type": "websocket.connect"})
        self._flows = asyncio.Event()
        self._flows.set()
        query = "EIO=4&transport=websocket" + ("" if session is None else f"&sid={session.sid}")
        known = set(server.sessions)
        asked = {**scope("GET", query, path="/socket.io/", client=(ADDRESS, 50000)), "type": "websocket"}
        self._task = asyncio.get_running_loop().create_task(server.websocket(asked, self._messages.get, self._send))
        self.session = session
        self.transport = None
        self._opens = (server, known)

    async def open(self) -> None:
        """Let the engine answer."""
        await asyncio.sleep(0)
        server, known = self._opens
        if self.session is None:
            (sid,) = set(server.sessions) - known
            self.session = server.sessions[sid]
            self.transport = self.session.transport

    async def _send(self, _: MutableMapping[str, Any]) -> None:
        await self._flows.wait()

    def read(self, data: bytes) -> None:
        """Give on the messages of some frames; a server hangs up after bytes that are none."""
        try:
            for opcode, payload in self._frames.feed(data):
                if opcode == TEXT:
                    self._messages.put_nowait({"type": "websocket.receive", "text": payload})
                elif opcode == BINARY:
                    self._messages.put_nowait({"type": "websocket.receive", "bytes": payload, "text": None})
                elif opcode == CLOSE:
                    self.hang()
        except FrameError:
            self.hang()

    def stall(self) -> None:
        """The server's ``send`` does not return."""
        self._flows.clear()

    def flow(self) -> None:
        """It does again."""
        self._flows.set()

    def hang(self) -> None:
        """Tell, again and again, that the connection is gone."""
        self._messages.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def lose(self) -> None:
        """See that nothing came out of the application."""
        if self._task.done():
            self._task.result()
