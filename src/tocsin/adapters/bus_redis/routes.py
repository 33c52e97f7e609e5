"""
An outbox and an inbox for each server, and which channel is where: through any failover or move of slots.

A channel that has moved is subscribed at its new server, and what may have been missed meanwhile is a gap.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from redis.exceptions import RedisError

from tocsin.adapters.bus_redis.channels import all_channels, canary_channel
from tocsin.adapters.bus_redis.inbox import Inbox
from tocsin.adapters.bus_redis.link import ANSWER_S, RedisLink, disconnected
from tocsin.adapters.bus_redis.outbox import Outbox, Waiting
from tocsin.adapters.bus_redis.places import Place, Places
from tocsin.application.meters import Histogram
from tocsin.domain.jitter import jitter

LOOK_S = 10.0
# While something has moved or is down.
LOOK_SOON_S = 0.5
# Channels that move one by one are one gap a second.
GAP_S = 1.0

log = logging.getLogger(__name__)


class Routes:
    """
    Belongs to the event loop's thread.

    Args:
        places: Where the servers are.
        link: Keeps connections.
        node: Name of this node.
        pack: Turns what waits into channels and messages.
        on_message: Called with what arrives on any channel that is wanted.
        on_gap: Called when something may have been missed.
        on_dropped: Called with how many items went for want of room.

    Attributes:
        deaf: The inboxes that do not hear their canary, by name.
        deafnesses: How often that began.
        echoes: Seconds that a message of this node takes to come back to it.
    """

    def __init__(
        self,
        places: Places,
        link: RedisLink,
        node: str,
        *,
        pack: Callable[[Iterable[Waiting]], list[tuple[str, bytes]]],
        on_message: Callable[[bytes], None],
        on_gap: Callable[[], None],
        on_dropped: Callable[[int], None],
    ) -> None:
        self._places = places
        self._link = link
        self._node = node
        self._pack = pack
        self._on_message = on_message
        self._on_gap = on_gap
        self._on_dropped = on_dropped
        self._is_heard = False
        self._outboxes: dict[Place, Outbox] = {}
        self._inboxes: dict[Place, Inbox] = {}
        # What no server is known for; never up, so that it keeps keys alone.
        self._unplaced = self._outbox("nowhere")
        self._where: dict[str, Place | None] = {}
        self._astray: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_look_due = asyncio.Event()
        self._gap_timer: asyncio.TimerHandle | None = None
        self._is_gap_due = False
        self._deaf_since = 0.0
        self._published_before = 0
        self.echoes = Histogram()
        self.deaf: set[str] = set()
        self.deafnesses = 0
        link.on_lost = self._on_lost

    # Counts

    @property
    def waiting(self) -> int:
        """Return how many items wait for a server."""
        return sum(map(len, self._outboxes.values())) + len(self._unplaced)

    @property
    def published(self) -> int:
        """Return how many messages the servers took."""
        return self._published_before + sum(outbox.published for outbox in self._outboxes.values())

    @property
    def channels(self) -> int:
        """Return how many channels this node listens to."""
        return len(self._where)

    @property
    def are_up(self) -> bool:
        """Return whether all servers take messages, and those that are listened to are heard."""
        boxes: list[Outbox | Inbox] = [*self._outboxes.values(), *self._inboxes.values()]
        return bool(self._outboxes) and all(box.is_up for box in boxes)

    # Use

    def put(self, waiting: list[Waiting]) -> None:
        """Pass on to the outboxes, in order."""
        if self._places.is_fixed and self._outboxes:
            next(iter(self._outboxes.values())).put(waiting)
            return
        by_box: dict[str, tuple[Outbox, list[Waiting]]] = {}
        for one in waiting:
            place = self._places.of(one[0])
            box = self._unplaced if place is None else self._outboxes.get(place, self._unplaced)
            by_box.setdefault(box.name, (box, []))[1].append(one)
        for box, part in by_box.values():
            box.put(part)

    def want(self, channel: str) -> None:
        """Subscribe a channel, wherever it is."""
        self._place(channel, is_late=False)

    def unwant(self, channel: str) -> None:
        """Give it up."""
        place = self._where.pop(channel)
        self._astray.discard(channel)
        if place in self._inboxes:
            self._inboxes[place].unwant(channel)

    async def wait_for(self, channels: Collection[str], timeout_s: float) -> None:
        """Return once these channels are heard; see ``Inbox.wait_for``."""
        by_place: dict[Place, set[str]] = {}
        for channel in channels:
            if (place := self._where.get(channel)) is not None:
                by_place.setdefault(place, set()).add(channel)
        await asyncio.gather(*(self._inboxes[place].wait_for(part, timeout_s) for place, part in by_place.items()))

    async def settled(self) -> None:
        """Return once each server has taken all, or is away."""
        for outbox in list(self._outboxes.values()):
            if outbox.name not in self._link.lost:
                await outbox.settled()

    def start(self, *, is_heard: bool) -> None:
        """Begin to connect, and to listen if that is wanted."""
        self._is_heard = is_heard
        if self._places.is_fixed:
            self._apply()
        else:
            self._tasks["look"] = asyncio.create_task(self._look_for_ever(), name="tocsin-bus-look")

    async def stop(self) -> None:
        """End all connections."""
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        tasks = [*self._tasks.values(), *self._ending]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._places.close()

    # Where the servers are

    async def _look_for_ever(self) -> None:
        while True:
            self._is_look_due.clear()
            try:
                async with asyncio.timeout(ANSWER_S):
                    has_changed = await self._places.look()
            except (RedisError, OSError, TimeoutError) as error:
                self._link.lose("look", error)
            else:
                if has_changed or self._astray or len(self._unplaced):
                    self._apply()
                self._link.found("look")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SOON_S if self._link.lost or self._astray else LOOK_S):
                    await self._is_look_due.wait()
            # However much has moved it is asked for no more often than this.
            await asyncio.sleep(jitter(LOOK_SOON_S / 2, LOOK_SOON_S))

    def _apply(self) -> None:
        # Others hold nothing of ours.
        known = {place for place in self._places.known if self._canary_at(place) is not None}
        for place in known - self._outboxes.keys():
            self._open(place)
        # After the others, which are part of the same outage until they work.
        for place in self._outboxes.keys() - known:
            self._close(place)
        for channel, where in list(self._where.items()):
            if channel in self._astray or where != self._places.of(channel):
                self._place(channel, is_late=True)
        self.put(self._unplaced.empty())

    def _canary_at(self, place: Place) -> str | None:
        """Return a channel for this node alone; it moves with the slot of the first channel that is there."""
        there = next((channel for channel in all_channels() if self._places.of(channel) == place), None)
        return None if there is None else canary_channel(there, self._node)

    def _open(self, place: Place) -> None:
        outbox = self._outboxes[place] = self._outbox(f"publish {place}")
        self._keep(outbox.name, place, outbox.send)
        if self._is_heard:
            inbox = self._inboxes[place] = Inbox(
                f"subscribe {place}",
                self._link,
                lambda: self._canary_at(place),
                carry=outbox.carry,
                on_message=self._on_message,
                on_gap=self._gap_soon,
                on_moved=self._on_moved_channel,
                on_deaf=self._on_deaf,
                echoes=self.echoes,
            )
            self._keep(inbox.name, place, inbox.receive)

    def _keep(self, name: str, place: Place, use: Callable[..., object]) -> None:
        if self._link.lost:
            self._link.lost.add(name)
        kept = self._link.keep(name, lambda: self._places.connecting.to(place), use)  # type: ignore[arg-type]
        self._tasks[name] = asyncio.create_task(kept, name=f"tocsin-bus-{name}")

    def _close(self, place: Place) -> None:
        outbox = self._outboxes.pop(place)
        self._published_before += outbox.published
        self._unplaced.put(outbox.empty())
        inbox = self._inboxes.pop(place, None)
        for name in [outbox.name] if inbox is None else [outbox.name, inbox.name]:
            task = self._tasks.pop(name)
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self.deaf.discard(name)
            self._link.found(name)

    def _place(self, channel: str, *, is_late: bool) -> None:
        before, now = self._where.get(channel), self._places.of(channel)
        if before is not None and before != now and before in self._inboxes:
            self._inboxes[before].unwant(channel)
        if now is not None and now in self._inboxes:
            self._where[channel] = now
            self._astray.discard(channel)
            self._inboxes[now].want(channel, is_late=is_late)
        else:
            self._where[channel] = None
            self._astray.add(channel)

    # What happens to them

    def _outbox(self, name: str) -> Outbox:
        return Outbox(name, self._link, self._pack, self._on_dropped, self._on_moved)

    def _on_moved(self, waiting: list[Waiting]) -> None:
        self._look_soon()
        self._unplaced.put(waiting)

    def _on_moved_channel(self, channel: str) -> None:
        self._look_soon()
        if channel in self._where:
            self._astray.add(channel)

    def _look_soon(self) -> None:
        if self._places.is_fixed:
            raise disconnected("a channel is on another server: that of a Cluster is named redis+cluster://")
        self._is_look_due.set()

    def _on_lost(self, name: str) -> None:
        kind, _, where = name.partition(" ")
        for outbox in self._outboxes.values():
            if outbox.name == name:
                outbox.give_up()
            elif kind == "subscribe" and outbox.name == f"publish {where}":
                # Asked now, and not by the first message for a server that has long been back: one outage is
                # told once.
                outbox.look()
        self._is_look_due.set()

    @property
    def deaf_s(self) -> float:
        """Return for how many seconds this node has been deaf; 0 if it is not."""
        return time.monotonic() - self._deaf_since if self.deaf else 0.0

    def _on_deaf(self, inbox: Inbox, is_deaf: bool) -> None:
        if is_deaf:
            if not self.deaf:
                self._deaf_since = time.monotonic()
                self.deafnesses += 1
                log.warning("Redis does not bring back what it takes: this node is deaf and subscribes again")
            self.deaf.add(inbox.name)
        elif inbox.name in self.deaf:
            self.deaf.remove(inbox.name)
            if not self.deaf:
                log.info("this node hears again, after %.1f s", time.monotonic() - self._deaf_since)

    def _gap_soon(self) -> None:
        if self._gap_timer is None:
            self._on_gap()
            self._gap_timer = asyncio.get_running_loop().call_later(GAP_S, self._end_gap)
            self._is_gap_due = False
        else:
            self._is_gap_due = True

    def _end_gap(self) -> None:
        self._gap_timer = None
        if self._is_gap_due:
            self._gap_soon()
