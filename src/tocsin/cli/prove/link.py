"""
How a client talks Engine.IO to a node: over a WebSocket, by polling, or by polling that is upgraded.

A link carries packets as text; what is in them is the client's business.
"""

import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import orjson
from websockets.asyncio.client import ClientConnection, connect

from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.route import Address, Route

OPEN_S = 10.0
_PATH = "/socket.io/?EIO=4&transport="
_SEPARATOR = "\x1e"
# How many packets come by polling before the upgrade begins.
_BEFORE_UPGRADE = 3


class Link(Protocol):
    """
    One connection to a node. Belongs to one event loop.

    All methods raise OSError, ``WebSocketException`` or ``HttpError`` when it is down.
    """

    async def recv(self) -> str:
        """Return the next packet."""

    async def send(self, packet: str) -> None:
        """Send a packet."""

    def abort(self) -> None:
        """Break it off."""


OpenLink = Callable[[Address], AbstractAsyncContextManager[Link]]


class _WebSocket:
    """Implements ``Link``."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def recv(self) -> str:
        return str(await self._socket.recv())

    async def send(self, packet: str) -> None:
        await self._socket.send(packet)

    def abort(self) -> None:
        self._socket.transport.abort()


class _Polling:
    """Implements ``Link``: one GET after the other, and a POST for each packet."""

    def __init__(self, address: Address) -> None:
        self._gets, self._posts = Http(Route([address], 0)), Http(Route([address], 0))
        self._path = f"{_PATH}polling"
        self._is_down = False
        self.sid = ""
        self.came: deque[str] = deque()

    async def open(self) -> None:
        """Begin a session; the packet with its id is the first to come."""
        await self.poll()
        self.sid = orjson.loads(self.came[0][1:])["sid"]
        self._path += f"&sid={self.sid}"

    async def recv(self) -> str:
        while not self.came:
            await self.poll()
        return self.came.popleft()

    async def poll(self) -> None:
        """Get what is there, as soon as something is."""
        self.came.extend((await self._ask(self._gets, "GET")).split(_SEPARATOR))

    async def send(self, packet: str) -> None:
        await self._ask(self._posts, "POST", packet.encode())

    def abort(self) -> None:
        self._is_down = True
        self._gets.close()
        self._posts.close()

    async def _ask(self, http: Http, method: str, body: bytes | None = None) -> str:
        if self._is_down:
            raise ConnectionAbortedError
        answer = await http.request(method, self._path, body)
        if answer.status != 200:
            raise HttpError(f"a poll was answered {answer.status}")
        return answer.body.decode()


class _Upgrading:
    """Implements ``Link``: polls at first, then goes over to a WebSocket, and breaks off in the middle now and then."""

    def __init__(self, polling: _Polling, socket: ClientConnection, breaks_off_at: str | None) -> None:
        self._polling = polling
        self._socket = socket
        self._breaks_off_at = breaks_off_at
        self._polled = 0
        self._link: Link = polling

    async def recv(self) -> str:
        if self._link is self._polling and self._polled == _BEFORE_UPGRADE:
            await self._upgrade()
        self._polled += 1
        # What came by polling comes first.
        return self._polling.came.popleft() if self._polling.came else await self._link.recv()

    async def send(self, packet: str) -> None:
        await self._link.send(packet)

    def abort(self) -> None:
        self._polling.abort()
        self._socket.transport.abort()

    async def _upgrade(self) -> None:
        await self._socket.send("2probe")
        if (probed := str(await self._socket.recv())) != "3probe":
            raise HttpError(f"a probe was answered {probed}")
        self._break_off("probed")
        # The server ends the last poll with a NOOP, if with nothing else.
        await self._polling.poll()
        self._break_off("polled")
        await self._socket.send("5")
        self._break_off("upgraded")
        self._link = _WebSocket(self._socket)

    def _break_off(self, at: str) -> None:
        if at == self._breaks_off_at:
            self.abort()
            raise ConnectionAbortedError(at)


@contextlib.asynccontextmanager
async def websocket(address: Address) -> AsyncIterator[Link]:
    """Open a link over a WebSocket alone."""
    async with _connect(address) as socket:
        yield _WebSocket(socket)


@contextlib.asynccontextmanager
async def polling(address: Address) -> AsyncIterator[Link]:
    """Open a link that polls for ever."""
    link = _Polling(address)
    try:
        await link.open()
        yield link
    finally:
        link.abort()


@contextlib.asynccontextmanager
async def upgrading(address: Address) -> AsyncIterator[Link]:
    """Open a link that begins with polling and is upgraded; three of four break off in the middle."""
    breaks_off_at = random.choice(["probed", "polled", "upgraded", None])  # noqa: S311 - no secret
    async with polling(address) as polled:
        assert isinstance(polled, _Polling)
        async with _connect(address, f"&sid={polled.sid}") as socket:
            yield _Upgrading(polled, socket, breaks_off_at)


def _connect(address: Address, more: str = "") -> connect:
    host, port = address
    url = f"ws://{host}:{port}{_PATH}websocket{more}"
    return connect(url, compression=None, ping_interval=None, open_timeout=OPEN_S, proxy=None)
