"""
Streams that have sockets on this node, and how far their rooms have been sent.

The log is the truth and the bus a wake-up (delivery contract, 8): an event
that follows the head goes straight to the room, one that leaves a gap starts
an ordered read of the log, and a sweep of heads finds what no wake-up told.
A room is one user in one namespace, so that its name is the user id. How a
single socket comes up to the head of its stream is ``resume``'s concern.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from tocsin.application.ports import Store
from tocsin.application.tracing import Tracing
from tocsin.domain.errors import TocsinError
from tocsin.domain.events import NAMESPACES
from tocsin.domain.jitter import jitter
from tocsin.domain.stream import Head, StreamEvent, StreamKey, resync_reason
from tocsin.domain.user_id import UserId
from tocsin.engine import EncodedPacket, Socket, SocketServer, encode_event_json

READ_EVENTS = 100
RECENT_EVENTS = 256
RECENT_BYTES = 262_144
SWEEP_S = 5.0
FULL_SWEEP_S = 30.0
SWEEP_STREAMS = 2_000

log = logging.getLogger(__name__)


class LiveStream:
    """
    One stream with sockets on this node.

    Attributes:
        head: Every socket in the room has been sent all up to here.
        head_at: When the event of the head was made, in milliseconds since 1970, until somebody acks it.
        is_head_known: False until the log or an event told the head.
        sockets: How many sockets follow the stream, in the room or catching up.
        catching_up: Those that are still on their way to the head.
        first_live: The first seq heard since the stream came to this node, or 0.
        recent: The last events up to the head, kept only while a socket catches up.
        wanted: How far the ordered read has to go; the read runs while it is above the head.
        has_news: The stream was told of since the ordered read last looked into the log.
        acked: The highest seq that a client here said it has; 0 until one did.
    """

    __slots__ = (
        "acked",
        "catching_up",
        "first_live",
        "has_news",
        "head",
        "head_at",
        "is_head_known",
        "key",
        "recent",
        "recent_bytes",
        "repair",
        "sockets",
        "wanted",
    )

    def __init__(self, key: StreamKey) -> None:
        self.key = key
        self.head = 0
        self.head_at = 0
        self.is_head_known = False
        self.sockets = 0
        self.catching_up: dict[Socket, object] | None = None
        self.first_live = 0
        self.recent: deque[tuple[int, EncodedPacket]] | None = None
        self.recent_bytes = 0
        self.wanted = 0
        self.has_news = False
        self.acked = 0
        self.repair: asyncio.Task[None] | None = None

    @property
    def has_room(self) -> bool:
        """Return whether any socket is up to the head, and so must see every event in order."""
        return self.sockets > len(self.catching_up or ())

    def skip_to(self, seq: int) -> None:
        """Move the head without events: nobody is in the room, or it is told to resync."""
        self.head = seq
        self.head_at = 0
        self.is_head_known = True
        self.forget_recent()

    def remember(self, seq: int, packet: EncodedPacket) -> None:
        """Keep an event for the sockets that catch up; the oldest go first."""
        if self.recent is None:
            self.recent = deque()
        self.recent.append((seq, packet))
        self.recent_bytes += len(packet.text)
        while len(self.recent) > RECENT_EVENTS or self.recent_bytes > RECENT_BYTES:
            self.recent_bytes -= len(self.recent.popleft()[1].text)

    def forget_recent(self) -> None:
        """Drop the kept events."""
        self.recent = None
        self.recent_bytes = 0

    def recent_after(self, seq: int) -> Iterator[EncodedPacket] | None:
        """Return the packets from ``seq + 1`` to the head, or None when not all are kept."""
        if self.recent is None or not self.recent or self.recent[0][0] > seq + 1:
            return None
        return (packet for _, packet in islice(self.recent, seq + 1 - self.recent[0][0], None))


_NO_STREAMS: dict[UserId, LiveStream] = {}


class LiveStreams:
    """
    Brings every committed event to the room of its stream, once and in order.

    Belongs to the event loop's thread. State of a stream goes with its last
    socket.

    Attributes:
        on_resync: Called with the reason and the streams whose rooms were told to refetch, each up to a seq.
    """

    def __init__(
        self, server: SocketServer, store: Store, *, sweep_s: float = SWEEP_S, tracing: Tracing | None = None
    ) -> None:
        self._server = server
        self._store = store
        self._sweep_s = sweep_s
        self.tracing = tracing
        self._by_namespace: dict[str, dict[UserId, LiveStream]] = {namespace: {} for namespace in NAMESPACES}
        self._sweeper: asyncio.Task[None] | None = None
        self._is_sweep_due = False
        self._hurry = asyncio.Event()
        self.epoch = ""
        self.repairs = 0
        self.resyncs: Counter[str] = Counter()
        self.on_resync: Callable[[str, Mapping[StreamKey, int]], None] = lambda _reason, _heads: None

    # Who follows what

    def enter(self, socket: Socket, user_id: UserId, catch_up: object) -> LiveStream:
        """Add a socket as catching up: from now on what is live is kept for it."""
        streams = self._by_namespace[socket.namespace]
        stream = streams.get(user_id)
        if stream is None:
            stream = streams[user_id] = LiveStream(StreamKey(user_id, socket.namespace))
        stream.sockets += 1
        self._mark_catching_up(stream, socket, catch_up)
        return stream

    def settle(self, socket: Socket, stream: LiveStream) -> None:
        """Move a socket that has been sent everything up to the head into the room."""
        self._unmark_catching_up(stream, socket)
        socket.join(stream.key.user_id)

    def unsettle(self, socket: Socket, stream: LiveStream, catch_up: object) -> None:
        """Take a socket out of the room, to be sent the log again from its cursor."""
        socket.leave(stream.key.user_id)
        self._mark_catching_up(stream, socket, catch_up)

    def leave(self, socket: Socket, stream: LiveStream) -> None:
        """Forget a socket, and the stream with its last one."""
        self._unmark_catching_up(stream, socket)
        stream.sockets -= 1
        if not stream.sockets:
            del self._by_namespace[stream.key.namespace][stream.key.user_id]

    def _mark_catching_up(self, stream: LiveStream, socket: Socket, catch_up: object) -> None:
        if stream.catching_up is None:
            stream.catching_up = {}
        stream.catching_up[socket] = catch_up

    def _unmark_catching_up(self, stream: LiveStream, socket: Socket) -> None:
        if stream.catching_up is not None:
            stream.catching_up.pop(socket, None)
            if not stream.catching_up:
                stream.catching_up = None
                stream.forget_recent()

    def head(self, key: StreamKey) -> int:
        """Return up to where a room has been sent; 0 where nobody follows the stream here."""
        stream = self._by_namespace[key.namespace].get(key.user_id)
        return 0 if stream is None else stream.head

    def __len__(self) -> int:
        return sum(map(len, self._by_namespace.values()))

    def lags(self) -> dict[str, tuple[int, int, int]]:
        """
        Return by namespace how many streams there are, and by how many events acks are behind: in all, and at most.

        Streams whose clients never acked since they came count as not behind: stock clients do not ack.
        """
        found = {}
        for namespace, streams in self._by_namespace.items():
            behind = [max(stream.head - stream.acked, 0) for stream in streams.values() if stream.acked]
            found[namespace] = (len(streams), sum(behind), max(behind, default=0))
        return found

    def __iter__(self) -> Iterator[LiveStream]:
        for streams in self._by_namespace.values():
            yield from streams.values()

    # Events

    def packet(self, event: StreamEvent) -> EncodedPacket:
        """Return the event as clients get it, encoded once for all of them."""
        return encode_event_json(event.namespace, event.event, event.wire_payload(self.epoch))

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Take committed events in commit order, from whatever wake-up; never waits."""
        for event in events:
            # A newer release on the same database may know namespaces that this one does not.
            stream = self._by_namespace.get(event.namespace, _NO_STREAMS).get(event.user_id)
            if stream is None or event.seq <= stream.head:
                continue
            if not stream.first_live:
                stream.first_live = event.seq
            if stream.repair is not None:
                # The ordered read will come to it: sent now it would overtake what is missing.
                self.read_up_to(stream, event.seq)
            elif event.seq == stream.head + 1 or not stream.has_room:
                self._advance(stream, event)
            else:
                self.read_up_to(stream, event.seq)

    def on_ephemeral(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        """Emit an event that no stream keeps to whoever is there now, on the way to the head or in the room."""
        if self._server.has_anybody(namespace, user_id):
            self._server.emit(event, payload, namespace=namespace, room=user_id, ephemeral=True)
        stream = None if user_id is None else self._by_namespace.get(namespace, _NO_STREAMS).get(user_id)
        for socket in tuple(stream.catching_up or ()) if stream is not None else ():
            socket.emit(event, payload, ephemeral=True)

    def on_wake(self, keys: Iterable[StreamKey]) -> None:
        """Look into the log of streams that may have grown; never waits."""
        for key in keys:
            stream = self._by_namespace.get(key.namespace, _NO_STREAMS).get(key.user_id)
            if stream is None:
                continue
            if stream.has_room:
                # The read ends where the log does, however far it was told to go.
                self.read_up_to(stream, max(stream.head, stream.wanted) + READ_EVENTS)
            else:
                # Who catches up may have looked a moment too early.
                self._is_sweep_due = True

    def on_gap(self) -> None:
        """Sweep now: wake-ups may have been missed; never waits."""
        self._is_sweep_due = True
        self._hurry.set()

    def _advance(self, stream: LiveStream, event: StreamEvent) -> None:
        packet = self.packet(event)
        if stream.catching_up is not None:
            if event.seq != stream.head + 1:
                stream.forget_recent()
            stream.remember(event.seq, packet)
        stream.head = event.seq
        stream.head_at = event.created_at
        stream.is_head_known = True
        if stream.has_room:
            begun_at = 0 if self.tracing is None else time.time_ns()
            sockets = self._server.send(packet, stream.key.namespace, stream.key.user_id)
            if self.tracing is not None:
                self.tracing.emitted(event, begun_at, sockets, is_live=True)

    # The log, where a wake-up was lost

    def read_up_to(self, stream: LiveStream, seq: int) -> asyncio.Task[None]:
        """Bring a room up to ``seq`` from the log; one read at a time a stream."""
        stream.wanted = max(stream.wanted, seq)
        stream.has_news = True
        if stream.repair is None:
            self.repairs += 1
            stream.repair = asyncio.create_task(self._read_up_to_wanted(stream))
        return stream.repair

    async def _read_up_to_wanted(self, stream: LiveStream) -> None:
        try:
            while stream.sockets and stream.head < stream.wanted:
                before = stream.head
                stream.has_news = False
                part = await self._store.read_stream(stream.key, before, READ_EVENTS)
                if not stream.sockets:
                    break
                if before != stream.head >= part.head.seq:
                    continue  # who joined meanwhile has moved the room beyond this look
                if (reason := resync_reason(self.epoch, stream.head, part.head, self.epoch)) is not None:
                    self.resync_rooms(reason, {stream: part.head.seq})
                    continue
                for event in part.events:
                    if event.seq > stream.head:
                        self._advance(stream, event)
                if stream.head == before and not stream.has_news:
                    # The wake-up told of what the log does not hold: the log is right. One that came
                    # meanwhile may tell of what was committed after this look.
                    break
        except TocsinError as refusal:
            self._is_sweep_due = True
            log.warning("reading a stream failed: %s", refusal.code)
        except Exception:
            self._is_sweep_due = True
            log.exception("reading a stream failed")
        finally:
            stream.repair = None
            stream.wanted = 0

    def resync_rooms(self, reason: str, heads: Mapping[LiveStream, int]) -> None:
        """Tell rooms to refetch, each up to a seq, and go on from there."""
        for stream, seq in heads.items():
            self.resyncs[reason] += 1
            stream.skip_to(seq)
            payload = {"reason": reason, "epoch": self.epoch, "seq": seq}
            self._server.emit("resync", payload, namespace=stream.key.namespace, room=stream.key.user_id)
        self.on_resync(reason, {stream.key: seq for stream, seq in heads.items()})

    # The sweep

    def start(self) -> None:
        """Take the store's epoch and begin to sweep."""
        self.epoch = self._store.epoch
        self._sweeper = asyncio.create_task(self._sweep_for_ever())

    async def stop(self) -> None:
        """End the sweep and every ordered read."""
        tasks = [stream.repair for stream in self if stream.repair is not None]
        if self._sweeper is not None:
            tasks.append(self._sweeper)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sweep_for_ever(self) -> None:
        swept_at = time.monotonic()
        while True:
            with suppress(TimeoutError):
                # The jitter spreads the load of many nodes.
                async with asyncio.timeout(self._sweep_s * jitter(0.75, 1.0)):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                # Not in one expression with the flag, which may be set while this waits.
                if await self._store.changed_elsewhere() or self.epoch != self._store.epoch:
                    self._is_sweep_due = True
                if self._is_sweep_due or time.monotonic() - swept_at >= FULL_SWEEP_S:
                    # Before the sweep, so that a read that fails meanwhile asks for the next one.
                    self._is_sweep_due = False
                    await self.sweep()
                    swept_at = time.monotonic()
            except TocsinError as refusal:
                self._is_sweep_due = True
                log.warning("the sweep of heads failed: %s", refusal.code)
            except Exception:
                self._is_sweep_due = True
                log.exception("the sweep of heads failed")

    async def sweep(self) -> None:
        """Compare the head of every room with the log, and read where the log is ahead."""
        if self.epoch != self._store.epoch:
            await self._begin_epoch()
            return
        if not all(stream.has_room for stream in self):
            # Who catches up may have looked a moment too early.
            self._is_sweep_due = True
        for part in _parts([stream for stream in self if stream.has_room], SWEEP_STREAMS):
            heads = await self._store.heads([stream.key for stream in part])
            for stream, head in zip(part, heads, strict=True):
                if stream.has_room and head.seq > stream.head:
                    self.read_up_to(stream, head.seq)

    async def _begin_epoch(self) -> None:
        found: list[tuple[LiveStream, Head, int]] = []
        for part in _parts(list(self), SWEEP_STREAMS):
            before = [stream.head for stream in part]
            heads = await self._store.heads([stream.key for stream in part])
            found += zip(part, heads, before, strict=True)
        if self.epoch == self._store.epoch:
            return  # another look was faster
        # In one turn: no event may carry the new epoch to a client that was not told of it.
        self.epoch = self._store.epoch
        # A restored log may end below the old head; what came while this waited is newer.
        ends = {stream: head.seq if stream.head == old else stream.head for stream, head, old in found}
        self.resync_rooms("epoch_changed", {stream: seq for stream, seq in ends.items() if stream.sockets})


def _parts(streams: Sequence[LiveStream], size: int) -> Iterator[Sequence[LiveStream]]:
    for start in range(0, len(streams), size):
        yield streams[start : start + size]
