"""Doubles of what surrounds the realtime modules: a log whose reads the test answers, an engine that records."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import orjson
import pytest

from tocsin.adapters.bus_local import LocalBus
from tocsin.application.witness import Witness
from tocsin.domain.stream import Head, Slice, StreamEvent, StreamKey
from tocsin.domain.user_id import UserId
from tocsin.realtime.live_streams import LiveStreams
from tocsin.realtime.resume import Resumer

NAMESPACE = "/notifications"
ANN = UserId("ann")


class GatedLog:
    """
    A log in memory; a read takes its snapshot when it is asked or when it is answered.

    Attributes:
        waiting: Reads that wait for ``answer``; with ``is_open`` none does.
    """

    def __init__(self) -> None:
        self.epoch = "epoch-1"
        self.is_open = True
        self.refusal: Exception | None = None
        self.reads = 0
        self.elsewhere = False
        self.waiting: list[tuple[asyncio.Future, object, object]] = []
        self.events: dict[StreamKey, list[StreamEvent]] = {}
        self.pruned: dict[StreamKey, int] = {}

    def commit(self, user_id: UserId = ANN, namespace: str = NAMESPACE) -> StreamEvent:
        key = StreamKey(user_id, namespace)
        log = self.events.setdefault(key, [])
        seq = len(log) + 1
        log.append(StreamEvent(user_id, namespace, seq, f"event-{seq}", "notification", b'{"id":"n"}', 0))
        return log[-1]

    def commit_many(self, number: int) -> list[StreamEvent]:
        return [self.commit() for _ in range(number)]

    def head(self, key: StreamKey) -> Head:
        return Head(len(self.events.get(key, ())), self.pruned.get(key, 0), 0)

    async def heads(self, keys: Sequence[StreamKey]) -> list[Head]:
        return await self._read(lambda: [self.head(key) for key in keys])

    async def read_stream(self, key: StreamKey, after: int, limit: int) -> Slice:
        def part() -> Slice:
            kept = self.events.get(key, [])[max(after, self.pruned.get(key, 0)) :]
            return Slice(kept[:limit], self.head(key))

        self.reads += 1
        return await self._read(part)

    async def changed_elsewhere(self) -> bool:
        changed, self.elsewhere = self.elsewhere, False
        return changed

    def answer(self, index: int = 0, *, is_late: bool = False) -> None:
        """Answer a waiting read, from the moment it was asked or (late) from now."""
        future, early, look = self.waiting.pop(index)
        if not future.done():
            future.set_result(look() if is_late else early)

    async def _read(self, look):
        if self.refusal is not None:
            raise self.refusal
        if self.is_open:
            await asyncio.sleep(0)
            return look()
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((future, look(), look))
        return await future


class RecordingConnection:
    def __init__(self) -> None:
        self.data = SimpleNamespace(user_id=ANN)
        self.closed_for: str | None = None
        self.drains = 0

    def close(self, reason: str = "") -> None:
        self.closed_for = reason

    async def drained(self) -> None:
        self.drains += 1
        await asyncio.sleep(0)


class RecordingSocket:
    """A socket of the namespace that writes down what it is sent."""

    def __init__(self, engine: "RecordingEngine") -> None:
        self.id = f"{id(self):x}"
        self.namespace = NAMESPACE
        self.connection = RecordingConnection()
        self.connected = True
        self.data = None
        self.received: list[tuple[str, dict]] = []
        self._engine = engine

    def send(self, packet, ephemeral: bool = False) -> bool:
        text = packet.text.decode()
        assert text.startswith(f"42{NAMESPACE},")
        self.received.append(tuple(orjson.loads(text.removeprefix(f"42{NAMESPACE},"))))
        return True

    def emit(self, event: str, *args, ephemeral: bool = False, more: bool = False) -> bool:
        self.received.append((event, *args))
        return True

    def join(self, room) -> None:
        self._engine.rooms.setdefault(room, {})[self] = None

    def leave(self, room) -> None:
        self._engine.rooms.get(room, {}).pop(self, None)

    @property
    def seqs(self) -> list[int]:
        """The seqs of the durable events received, in order."""
        return [payload["seq"] for event, payload in self.received if event == "notification"]

    def payloads(self, event: str) -> list[dict]:
        return [payload for name, payload in self.received if name == event]


class RecordingEngine:
    def __init__(self) -> None:
        self.rooms: dict[object, dict[RecordingSocket, None]] = {}

    def send(self, packet, namespace, room, skip=None, ephemeral=False) -> int:
        sockets = list(self.rooms.get(room, ()))
        for socket in sockets:
            socket.send(packet)
        return len(sockets)

    def has_anybody(self, namespace, room=None) -> bool:
        return bool(self.rooms.get(room))

    def emit(self, event, *args, namespace="/", room=None, skip=None, ephemeral=False) -> int:
        sockets = list(self.rooms.get(room, ()))
        for socket in sockets:
            socket.emit(event, *args)
        return len(sockets)


class Node:
    """The realtime modules of one node over the doubles, and what a test does to them."""

    def __init__(self) -> None:
        self.log = GatedLog()
        self.engine = RecordingEngine()
        self.live = LiveStreams(self.engine, self.log)
        self.live.epoch = self.log.epoch
        self.bus = LocalBus()
        self.witness = Witness()
        self.resumer = Resumer(self.live, self.log, self.bus.heard, self.witness)

    def connect(self, cursor=None) -> RecordingSocket:
        socket = RecordingSocket(self.engine)
        socket.data = self.resumer.begin(socket, ANN, cursor)
        return socket

    def disconnect(self, socket: RecordingSocket) -> None:
        socket.connected = False
        socket.leave(ANN)
        self.live.leave(socket, socket.data)

    def publish(self, number: int = 1) -> None:
        """Commit events and wake the node."""
        self.live.on_events(self.log.commit_many(number))

    def reached(self, seq: int) -> list[str]:
        """Return how the trace says that a seq reached each session."""
        told = self.witness.tell("n", ANN, seq, self.live.head(StreamKey(ANN, NAMESPACE)))
        return [one["how"] for one in told["sessions"]]

    async def settle(self) -> None:
        """Answer every read and let every task come to its end."""
        for _ in range(10_000):
            while self.log.waiting:
                self.log.answer(is_late=True)
            if len(asyncio.all_tasks()) == 1:
                return
            await asyncio.sleep(0)
        raise AssertionError("the node does not come to rest")


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def make_node() -> type[Node]:
    return Node
