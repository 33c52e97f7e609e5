"""
The bus of several processes: this node by a call, the others through Redis or Valkey.

The database is the truth and Redis only wakes: what it loses the sweep of
heads finds. So nothing waits for it, and nothing fails with it.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any

import orjson

from tocsin.adapters.bus_local import LocalBus
from tocsin.adapters.bus_redis.channels import EVERYBODY, channel_of, shard_channel
from tocsin.adapters.bus_redis.complaints import REASONS, Complaints
from tocsin.adapters.bus_redis.envelope import MAX_PAYLOAD_BYTES, Envelopes, Ephemeral, Item, Refused
from tocsin.adapters.bus_redis.link import RedisLink
from tocsin.adapters.bus_redis.outbox import Waiting
from tocsin.adapters.bus_redis.places import open_places
from tocsin.adapters.bus_redis.routes import Routes
from tocsin.application.meters import Histogram
from tocsin.application.ports import OnEphemeral, OnEvents, OnGap, OnWake
from tocsin.application.tracing import Tracing
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId

# How long a deaf node stays out of the way of clients.
UNREADY_S = 60.0
FLUSH_S = 1.0
# How long a resume waits for its subscription: the server answers in a millisecond, or is not well.
HEARD_S = 1.0
# A user who comes back meanwhile is still listened to.
LINGER_S = 30.0

log = logging.getLogger(__name__)


class RedisBus:
    """
    Calls the handlers of this node at once and tells the other nodes, a user's events in commit order.

    Implements ``Bus``; all calls belong to the event loop's thread. Publishing
    takes no I/O: what waits for Redis is bounded, the oldest goes first, and
    while a server is away only the keys of streams are kept for it.
    A process that subscribes to nothing opens no subscription; one that does
    listens to the shards of the users that it follows, and to everybody's channel.

    Args:
        url: The servers; see ``open_places``.
        epoch: Returns the epoch of the database that the node is on.
        key: Signs messages, the same on all nodes; None: they are not signed.

    Attributes:
        received: Messages of other nodes that were in order.
        dropped: What went no further, by reason: ``queue_full``, ``not_json``,
            ``failed``, or a reason of ``envelope.Refused``.

    Raises:
        ValueError: The URL can't be read.
    """

    def __init__(
        self, url: str, *, epoch: Callable[[], str], key: str | None = None, tracing: Tracing | None = None
    ) -> None:
        node = token_hex(8)
        places = open_places(url)
        self._local = LocalBus()
        self._envelopes = Envelopes(node, epoch, key, tracing)
        self._complaints = Complaints()
        self._link = RedisLink(places.connecting.secrets)
        self._routes = Routes(
            places,
            self._link,
            node,
            pack=self._pack,
            on_message=self._hear,
            on_gap=self._local.gap,
            on_dropped=lambda count: self.dropped.update(queue_full=count),
        )
        self._users: Counter[str] = Counter()
        self._lingering: dict[str, float] = {}
        self._letting_go: asyncio.TimerHandle | None = None
        self._is_heard = False
        self.received = 0
        self.dropped = self._complaints.counts

    @property
    def stats(self) -> dict[str, int]:
        """Return counts since the start, and whether every connection is up now."""
        return {
            "is_connected": int(self.is_connected),
            "is_deaf": int(bool(self._routes.deaf)),
            "waiting": self._routes.waiting,
            "published": self._routes.published,
            "received": self.received,
            "channels": self._routes.channels,
            "reconnects": self._link.reconnects,
            "deaf": self._routes.deafnesses,
            **{f"dropped_{reason}": self.dropped[reason] for reason in (*REASONS, *self.dropped)},
        }

    @property
    def echoes(self) -> Histogram:
        """Seconds that a message of this node takes to come back through Redis, measured every few seconds."""
        return self._routes.echoes

    # The port

    @property
    def is_connected(self) -> bool:
        """Return whether every connection is up now, and none is deaf."""
        return self._routes.are_up and not self._link.lost and not self._routes.deaf

    @property
    def is_deaf(self) -> bool:
        """
        Return whether a server that can be reached does not bring back what it takes, since not long ago.

        Others hear better, so clients are sent to them. After UNREADY_S whoever could be sent away has been; if
        all nodes are deaf, as behind a faulty proxy, their sweeps deliver and none of them must stay away.
        """
        return not self._link.lost and 0 < self._routes.deaf_s < UNREADY_S

    def publish(self, events: Sequence[StreamEvent]) -> None:
        """Hand committed events to this node before returning, and to the others soon."""
        self._local.publish(events)
        self._enqueue(events)

    def publish_ephemeral(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        """Hand an event that no stream keeps to this node before returning, and to the others if Redis is there."""
        self._local.publish_ephemeral(user_id, namespace, event, payload)
        try:
            # Encoded now: the caller may go on to change it.
            encoded = orjson.dumps(payload)
        except TypeError:
            self._complaints.count("not_json")
        else:
            if len(encoded) > MAX_PAYLOAD_BYTES:
                self._complaints.count("too_big_to_send")
                return
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

    def follow(self, user_id: UserId) -> None:
        """Listen to the shard of a user from now on; see ``heard``."""
        channel = shard_channel(user_id)
        self._users[channel] += 1
        if self._users[channel] == 1 and self._lingering.pop(channel, None) is None:
            self._routes.want(channel)

    def unfollow(self, user_id: UserId) -> None:
        """Listen to it for some seconds more, or for as long as other users of this node are in it."""
        channel = shard_channel(user_id)
        self._users[channel] -= 1
        if self._users[channel]:
            return
        del self._users[channel]
        if self._letting_go is None:
            self._letting_go = asyncio.get_running_loop().call_later(LINGER_S, self._let_go)
        self._lingering[channel] = time.monotonic() + LINGER_S

    def _let_go(self) -> None:
        self._letting_go = None
        now = time.monotonic()
        # In the order of their time.
        while self._lingering and (channel := next(iter(self._lingering))) and self._lingering[channel] <= now:
            del self._lingering[channel]
            self._routes.unwant(channel)
        if self._lingering:
            left_s = next(iter(self._lingering.values())) - now
            # One timer for all that go within a second.
            self._letting_go = asyncio.get_running_loop().call_later(max(left_s, 1.0), self._let_go)

    async def heard(self, user_ids: Collection[UserId]) -> None:
        """Return once what other nodes publish to these users arrives here; see ``Bus``."""
        await self._routes.wait_for({shard_channel(user_id) for user_id in user_ids}, HEARD_S)

    async def start(self) -> None:
        """Begin to reach for the server; returns at once."""
        if self._is_heard:
            self._routes.want(EVERYBODY)
        self._routes.start(is_heard=self._is_heard)

    async def stop(self) -> None:
        """Pass on what was published, for a second at most and only if the server is there, and end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self._routes.settled()
        await self._routes.stop()

    # To the others

    def _enqueue(self, items: Iterable[Item]) -> None:
        self._routes.put([(channel_of(item), item) for item in items])

    def _pack(self, batch: Iterable[Waiting]) -> list[tuple[str, bytes]]:
        by_channel: dict[str, list[Item]] = {}
        for channel, item in batch:
            by_channel.setdefault(channel, []).append(item)
        messages = []
        for channel, items in by_channel.items():
            try:
                messages += [(channel, message) for message in self._envelopes.pack(items)]
            except (TypeError, ValueError):
                self._complaints.count("not_json", len(items))
        return messages

    # From the others

    def _hear(self, message: bytes) -> None:
        if self._envelopes.is_own(message):
            return
        try:
            items = self._envelopes.unpack(message)
            self._hand_on(items)
        except Refused as refusal:
            self._complaints.count(refusal.reason)
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
