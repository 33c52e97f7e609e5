"""
The bus of several processes: this node by a call, the others through Redis or Valkey.

The database is the truth and Redis only wakes: what it loses the sweep of
heads finds. So nothing waits for it, and nothing fails with it. What the
messages look like is ``bus_envelope``'s concern, how the server is reached
``redis_link``'s.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any
from zlib import crc32

import orjson
from redis.asyncio.connection import AbstractConnection as Connection
from redis.exceptions import ResponseError

from tocsin.adapters.bus_envelope import Envelopes, Ephemeral, Item, Refused
from tocsin.adapters.bus_local import LocalBus
from tocsin.adapters.redis_link import ANSWER_S, RedisLink, disconnected
from tocsin.application.ports import OnEphemeral, OnEvents, OnGap, OnWake
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId

SHARDS = 64
CHANNELS = (*(f"tocsin:{shard}" for shard in range(SHARDS)), "tocsin:all")
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 16_777_216
BATCH_ITEMS = 500
BATCH_BYTES = 262_144
TURN_MESSAGES = 64
PING_S = 10.0
FLUSH_S = 1.0
COMPLAIN_S = 60.0

log = logging.getLogger(__name__)


class RedisBus:
    """
    Calls the handlers of this node at once and tells the other nodes, a user's events in commit order.

    Implements ``Bus``; all calls belong to the event loop's thread. Publishing
    takes no I/O: what waits for Redis is bounded, the oldest goes first, and
    while the server is away only the keys of streams are kept for it.
    A process that subscribes to nothing opens no subscription.

    Args:
        url: The server; see ``RedisLink``.
        epoch: Returns the epoch of the database that the node is on.
        key: Signs messages, the same on all nodes; None: they are not signed.

    Attributes:
        published: Messages that Redis took.
        received: Messages of other nodes that were in order.
        dropped: What went no further, by reason: ``queue_full``, ``not_json``,
            ``failed``, or a reason of ``bus_envelope.Refused``.

    Raises:
        ValueError: The URL can't be read.
    """

    def __init__(self, url: str, *, epoch: Callable[[], str], key: str | None = None) -> None:
        self._local = LocalBus()
        self._link = RedisLink(url)
        self._envelopes = Envelopes(token_hex(8), epoch, key)
        self._waiting: deque[Item] = deque()
        self._waiting_bytes = 0
        self._has_work = asyncio.Event()
        self._is_settled = asyncio.Event()
        self._is_settled.set()
        self._link.on_lost = self._on_lost
        self._is_up = False
        self._is_heard = False
        self._tasks: list[asyncio.Task[None]] = []
        self._complained_at: dict[str, float] = {}
        self.published = 0
        self.received = 0
        self.dropped: Counter[str] = Counter()

    @property
    def stats(self) -> dict[str, int]:
        """Return counts since the start, and whether every connection is up now."""
        return {
            "is_connected": int(self.is_connected),
            "waiting": len(self._waiting),
            "published": self.published,
            "received": self.received,
            "reconnects": self._link.reconnects,
            **{f"dropped_{reason}": count for reason, count in self.dropped.items()},
        }

    # The port

    @property
    def is_connected(self) -> bool:
        """Return whether every connection is up now."""
        return self._is_up and not self._link.lost

    def publish(self, events: Sequence[StreamEvent]) -> None:
        """Hand committed events to this node before returning, and to the others soon."""
        self._local.publish(events)
        self._enqueue(events)

    def publish_ephemeral(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        """Hand an event that no stream keeps to this node before returning, and to the others if Redis is there."""
        self._local.publish_ephemeral(user_id, namespace, event, payload)
        if not self._is_up:
            return  # late it would be wrong
        try:
            # Encoded now: the caller may go on to change it.
            encoded = orjson.dumps(payload)
        except TypeError:
            self._drop("not_json")
        else:
            self._enqueue([Ephemeral(user_id, namespace, event, encoded)])

    def wake(self, keys: Sequence[StreamKey]) -> None:
        """Tell this node before returning, and the others soon."""
        self._local.wake(keys)
        self._enqueue(keys)

    def subscribe(
        self, on_events: OnEvents, on_ephemeral: OnEphemeral, on_wake: OnWake, on_gap: OnGap | None = None
    ) -> None:
        """Set the handlers, in place of earlier ones; before ``start``, for those of other nodes."""
        self._is_heard = True
        self._local.subscribe(on_events, on_ephemeral, on_wake, on_gap)

    async def start(self) -> None:
        """Begin to reach for the server; returns at once."""
        self._tasks = [asyncio.create_task(self._link.keep("publish", self._send))]
        if self._is_heard:
            self._tasks.append(asyncio.create_task(self._link.keep("subscribe", self._receive)))

    async def stop(self) -> None:
        """Pass on what was published, for a second at most and only if the server is there, and end."""
        if self._tasks and "publish" not in self._link.lost:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._is_settled.wait()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_lost(self, name: str) -> None:
        if name == "publish":
            # Nobody waits for a server that isn't there.
            self._is_settled.set()
        else:
            # Asked now, and not by the first message for a server that has long been back: one outage is told once.
            self._has_work.set()

    # To the others

    def _enqueue(self, items: Sequence[Item]) -> None:
        if not items:
            return
        if not self._is_up:
            items = [_key(item) for item in items if not isinstance(item, Ephemeral)]
        self._waiting.extend(items)
        self._waiting_bytes += sum(map(_size, items))
        while len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            self._waiting_bytes -= _size(self._waiting.popleft())
            self.dropped["queue_full"] += 1
        self._is_settled.clear()
        self._has_work.set()

    async def _send(self, connection: Connection) -> None:
        """Publish what waits, in batches, until the connection ends."""
        command = await self._find_command(connection)
        self._keep_keys()
        self._is_up = True
        self._link.found("publish")
        batch: list[Item] = []
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(PING_S):
                        await self._has_work.wait()
                batch = self._take()
                messages = self._pack(batch)
                async with asyncio.timeout(ANSWER_S):
                    await _ask_all(connection, [(command, *message) for message in messages] or [("PING",)])
                self.published += len(messages)
                batch = []
                if not self._waiting:
                    self._has_work.clear()
                    self._is_settled.set()
        finally:
            self._is_up = False
            self._waiting.extendleft(reversed(batch))
            self._keep_keys()

    def _keep_keys(self) -> None:
        # Late an event is old news and an ephemeral one wrong: who holds the streams looks into the log.
        self._waiting = deque(dict.fromkeys(_key(item) for item in self._waiting if not isinstance(item, Ephemeral)))
        self._waiting_bytes = 0

    async def _find_command(self, connection: Connection) -> str:
        """Return ``SPUBLISH``, or ``PUBLISH`` where the server does not know it."""
        async with asyncio.timeout(ANSWER_S):
            try:
                await _ask_all(connection, [("SPUBLISH", "tocsin:probe", "")])
            except ResponseError as error:
                if not _is_unknown_command(error):
                    raise
                return "PUBLISH"
            return "SPUBLISH"

    def _take(self) -> list[Item]:
        batch: list[Item] = []
        size = 0
        while self._waiting and len(batch) < BATCH_ITEMS and size < BATCH_BYTES:
            item = self._waiting.popleft()
            size += _size(item)
            batch.append(item)
        self._waiting_bytes -= size
        return batch

    def _pack(self, batch: Iterable[Item]) -> list[tuple[str, bytes]]:
        by_channel: dict[str, list[Item]] = {}
        for item in batch:
            by_channel.setdefault(channel_of(item.user_id), []).append(item)
        messages = []
        for channel, items in by_channel.items():
            try:
                messages += [(channel, message) for message in self._envelopes.pack(items)]
            except (TypeError, ValueError):
                self._drop("not_json", len(items))
        return messages

    # From the others

    async def _receive(self, connection: Connection) -> None:
        """Hand on what the other nodes tell, until the connection ends."""
        async with asyncio.timeout(ANSWER_S):
            await self._subscribe(connection)
        self._link.found("subscribe")
        # What was told before now this node has not heard.
        self._local.gap()
        is_asked = False
        taken = 0
        while True:
            answer = await connection.read_response(timeout=PING_S, disconnect_on_error=False)
            if answer is None:
                if is_asked:
                    raise disconnected(f"silent for {PING_S:.0f} s")
                is_asked = True
                await connection.send_command("PING")
                continue
            is_asked = False
            match answer:
                case [b"message" | b"smessage", _, bytes(message)]:
                    self._hear(message)
                case [b"unsubscribe" | b"sunsubscribe", *_]:
                    raise disconnected("the server ended the subscription")
            taken += 1
            if taken % TURN_MESSAGES == 0:
                # What has arrived already is read without waiting: others on this loop want their turn.
                await asyncio.sleep(0)

    async def _subscribe(self, connection: Connection) -> None:
        await connection.send_command("SSUBSCRIBE", *CHANNELS)
        try:
            await connection.read_response()
        except ResponseError as error:
            if not _is_unknown_command(error):
                raise
            await connection.send_command("SUBSCRIBE", *CHANNELS)
            await connection.read_response()
        for _ in CHANNELS[1:]:
            await connection.read_response()

    def _hear(self, message: bytes) -> None:
        if self._envelopes.is_own(message):
            return
        try:
            items = self._envelopes.unpack(message)
            self._hand_on(items)
        except Refused as refusal:
            self._drop(refusal.reason)
        except Exception:
            log.exception("a message from Redis could not be handed on")
            self.dropped["failed"] += 1
        else:
            self.received += 1

    def _hand_on(self, items: list[Item]) -> None:
        # A message holds items of one kind.
        match items[0]:
            case StreamEvent():
                self._local.publish([item for item in items if isinstance(item, StreamEvent)])
            case StreamKey():
                self._local.wake([item for item in items if isinstance(item, StreamKey)])
            case Ephemeral():
                for item in items:
                    if isinstance(item, Ephemeral):
                        user_id, namespace, event, payload = item
                        self._local.publish_ephemeral(user_id, namespace, event, orjson.loads(payload))

    def _drop(self, reason: str, count: int = 1) -> None:
        self.dropped[reason] += count
        now = time.monotonic()
        if now - self._complained_at.get(reason, -COMPLAIN_S) >= COMPLAIN_S:
            self._complained_at[reason] = now
            log.warning(
                "%s: %s so far",
                _COMPLAINTS.get(reason, f"messages from Redis dropped ({reason})"),
                self.dropped[reason],
            )


_COMPLAINTS = {
    "not_json": "events are not JSON and stay on this node",
    "unsigned": "messages from Redis dropped: not signed, is TOCSIN_BUS_KEY set on every node?",
    "signed": "messages from Redis dropped: signed with a key that this node does not have, set TOCSIN_BUS_KEY alike",
    "wrong_signature": "messages from Redis dropped: wrongly signed, is TOCSIN_BUS_KEY the same on every node?",
    "other_version": "messages from Redis dropped: of another release of the protocol",
    "other_database": "messages from Redis dropped: of nodes on another database",
}


def channel_of(user_id: UserId | None) -> str:
    """Return the channel of a user's shard; that of everybody for None."""
    return CHANNELS[-1 if user_id is None else crc32(user_id.encode()) % SHARDS]


def _key(item: StreamEvent | StreamKey) -> StreamKey:
    return item.key if isinstance(item, StreamEvent) else item


def _size(item: Item) -> int:
    return 0 if isinstance(item, StreamKey) else len(item.payload)


async def _ask_all(connection: Connection, commands: list[tuple[str | bytes, ...]]) -> None:
    await connection.send_packed_command(connection.pack_commands(commands))
    for _ in commands:
        await connection.read_response()


def _is_unknown_command(error: ResponseError) -> bool:
    return "unknown command" in str(error).lower()
