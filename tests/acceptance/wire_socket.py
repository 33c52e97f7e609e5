"""A Socket.IO client of a few lines over a WebSocket: it shows every packet and hides nothing."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

DEADLINE_S = 20.0
PRESENCE = ("user_online", "user_offline")


class Refused(Exception):
    """A CONNECT was answered with CONNECT_ERROR."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.message = error.get("message")
        self.data = error.get("data")


class WireSocket:
    """
    One Engine.IO connection and its namespaces.

    Attributes:
        events: By namespace, what the server emitted and nobody has taken yet.
        closed: Set when the transport has closed.
        sid: The Engine.IO session id, known once a CONNECT has been answered.
    """

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.events: dict[str, asyncio.Queue[tuple[str, Any]]] = {}
        self.closed = asyncio.Event()
        self.sid = ""
        self._ids = itertools.count()
        self._connects: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._acks: dict[int, asyncio.Future[list[Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def connect(self, namespace: str, auth: Any = None) -> dict[str, Any]:
        """Send CONNECT; return the payload of the answer or raise Refused."""
        answer = self._connects[namespace] = asyncio.get_running_loop().create_future()
        self.events[namespace] = asyncio.Queue()
        await self.websocket.send(f"40{namespace}," + ("" if auth is None else orjson.dumps(auth).decode()))
        async with asyncio.timeout(DEADLINE_S):
            return await answer

    async def emit(self, namespace: str, event: str, *args: Any) -> None:
        """Send an event that asks for no ack."""
        await self.websocket.send(f"42{namespace}," + orjson.dumps([event, *args]).decode())

    async def ask(self, namespace: str, event: str, *args: Any) -> Any:
        """Send an event and return the one value of its ack."""
        id_ = next(self._ids)
        answer = self._acks[id_] = asyncio.get_running_loop().create_future()
        await self.websocket.send(f"42{namespace},{id_}" + orjson.dumps([event, *args]).decode())
        async with asyncio.timeout(DEADLINE_S):
            (value,) = await answer
        return value

    def at_once(self, *packets: str) -> None:
        """Send packets that the server reads together."""
        for packet in packets:
            self.websocket.protocol.send_text(packet.encode())
        self.websocket.transport.write(b"".join(self.websocket.protocol.data_to_send()))

    async def next(self, namespace: str) -> tuple[str, Any]:
        """Return the next event of a namespace: its name and its payload."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.events[namespace].get()

    async def until(self, namespace: str, name: str) -> list[tuple[str, Any]]:
        """Return the events up to the next of that name, which is the last."""
        got = [await self.next(namespace)]
        while got[-1][0] != name:
            got.append(await self.next(namespace))
        return got

    async def payload(self, namespace: str, name: str) -> Any:
        """Return the payload of the next event of that name."""
        return (await self.until(namespace, name))[-1][1]

    async def synced(self, namespace: str) -> None:
        """Take what comes up to ``synced``, but for presence: its first word may come sooner."""
        before = [one for one in await self.until(namespace, "synced") if one[0] in PRESENCE]
        queue = self.events[namespace]
        after = [queue.get_nowait() for _ in range(queue.qsize())]
        for one in before + after:
            queue.put_nowait(one)

    def untaken(self, namespace: str) -> list[tuple[str, Any]]:
        """Return what has come and nobody has taken, but for presence and the badge, which come when they come."""
        queue = self.events[namespace]
        came = [queue.get_nowait() for _ in range(queue.qsize())]
        return [one for one in came if one[0] not in {*PRESENCE, "unread_count"}]

    async def _read(self) -> None:
        try:
            async for packet in self.websocket:
                self._take(str(packet))
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            for future in [*self._acks.values(), *self._connects.values()]:
                if not future.done():
                    future.set_exception(ConnectionError("closed"))
                    future.exception()

    def _take(self, packet: str) -> None:
        if packet[0] == "0":
            self.sid = orjson.loads(packet[1:])["sid"]
            return
        if packet == "2":
            self._reply = asyncio.create_task(self.websocket.send("3"))
            return
        kind, rest = packet[:2], packet[2:]
        namespace, _, data = rest.partition(",")
        if kind == "40":
            self._connects[namespace].set_result(orjson.loads(data))
        elif kind == "44":
            self._connects[namespace].set_exception(Refused(orjson.loads(data)))
        elif kind == "42":
            name, *args = orjson.loads(data)
            self.events[namespace].put_nowait((name, *args) if len(args) != 1 else (name, args[0]))
        elif kind == "43":
            id_ = data[: data.index("[")]
            self._acks.pop(int(id_)).set_result(orjson.loads(data[len(id_) :]))
        else:
            raise AssertionError(f"not expected: {packet[:200]}")


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[WireSocket]:
    """Open an Engine.IO connection over WebSocket to the server at ``url``."""
    address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
    async with connect(address, compression=None, ping_interval=None, max_size=None, proxy=None) as websocket:
        socket = WireSocket(websocket)
        try:
            yield socket
        finally:
            socket._reader.cancel()


@asynccontextmanager
async def connected(url: str, namespace: str, token: str, **cursor: Any) -> AsyncIterator[WireSocket]:
    """Open a connection with one namespace, ``synced`` taken unless a cursor is given."""
    async with wire(url) as socket:
        await socket.connect(namespace, {"token": token, **cursor})
        if not cursor:
            await socket.synced(namespace)
        yield socket


async def eventually(condition: Callable[[], Any | Awaitable[Any]], deadline_s: float = DEADLINE_S) -> Any:
    """Return what the condition gives once that is true."""
    async with asyncio.timeout(deadline_s):
        while True:
            value = condition()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.02)
