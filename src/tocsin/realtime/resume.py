"""
Brings one socket from its cursor to the head of its stream (delivery contract, 4 and 5).

A socket is registered as catching up *before* the log is read: what is
committed meanwhile stands in the stream's recent events, and an event between
the two would otherwise reach neither. For the same reason the head is asked for
only after events of other nodes arrive here. The log is read in parts, each sent and
drained before the next; once the socket is within reach of the head it gets
the rest from the recent events and joins the room, in one turn of the loop.
"""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.application.ports import Store
from tocsin.application.witness import NAMESPACE as WITNESSED
from tocsin.application.witness import Witness
from tocsin.domain.errors import Conflict, Invalid, TocsinError
from tocsin.domain.stream import Head, StreamEvent, StreamKey, resync_reason
from tocsin.domain.user_id import UserId
from tocsin.engine import Socket
from tocsin.realtime.badge import Badges
from tocsin.realtime.live_streams import READ_EVENTS, LiveStream, LiveStreams

HEADS_AT_ONCE = 1_000
REPLAYS_AT_ONCE = 32
SEND_BYTES = 131_072
JOIN_WITHIN = 64
MAX_EPOCH = 64
MAX_SEQ = 2**53 - 1

Heard = Callable[[Collection[UserId]], Awaitable[None]]

log = logging.getLogger(__name__)

_DIGITS = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a client says it has seen: everything up to ``last_seq`` of the epoch's log."""

    epoch: str | None
    last_seq: int


def parse_cursor(auth: dict[str, Any]) -> Cursor | None:
    """
    Return the cursor of a CONNECT's ``auth``, or None where there is no ``last_seq``.

    Raises:
        Invalid: ``epoch`` is no string of at most 64 characters, or ``last_seq``
            no integer of 0 to 2^53 - 1; its decimal digits will do.
    """
    epoch, last_seq = auth.get("epoch"), auth.get("last_seq")
    # The client for Java can say nothing but strings here.
    if isinstance(last_seq, str) and _DIGITS.fullmatch(last_seq):
        last_seq = int(last_seq)
    if epoch is not None and not (isinstance(epoch, str) and len(epoch) <= MAX_EPOCH):
        raise Invalid(f"epoch must be a string of at most {MAX_EPOCH} characters")
    return None if last_seq is None else Cursor(epoch, parse_seq(last_seq, "last_seq"))


def parse_seq(value: object, field: str) -> int:
    """Return a seq given by a client; Invalid unless an integer of 0 to 2^53 - 1."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEQ:
        raise Invalid(f"{field} must be an integer from 0 to 2^53 - 1")
    return value


class CatchUp:
    """
    One socket on its way to the head.

    Attributes:
        acked: What it has acked on the way, maybe beyond the head of then.
        cursor: Where it said to be; None for a client that keeps no cursor.
        began: It was not sent what stands up to here.
        after: It has been sent everything from there up to here.
        head: As it was read for its cursor; None: that was known without.
    """

    __slots__ = ("acked", "after", "began", "cursor", "head", "socket", "stream")

    def __init__(self, socket: Socket, cursor: Cursor | None) -> None:
        self.socket = socket
        self.cursor = cursor
        self.acked = 0
        self.began = 0
        self.after = 0
        self.head: Head | None = None
        self.stream: LiveStream


class Resumer:
    """
    Catches sockets up, a bounded number of log reads at a time.

    Belongs to the event loop's thread.

    Args:
        live: The streams that the sockets follow.
        store: The log.
        heard: Returns once what other nodes publish to these users arrives here; see ``Bus.heard``.
        witness: Remembers who was brought up to date.

    Attributes:
        on_ack: Called with a socket that has come up to the head, and what it had acked on its way there.
        replays: Sockets that were behind and were sent the log, since the start.
        replayed: Events that were sent again, by namespace.
        resyncs: Sockets that could not be resumed, by reason.
    """

    def __init__(self, live: LiveStreams, store: Store, heard: Heard, witness: Witness) -> None:
        self._live = live
        self.on_ack: Callable[[Socket, int], object] = lambda _socket, _seq: None
        self._witness = witness
        live.on_resync = self._on_resync
        self._heard = heard
        self._store = store
        self._badges = Badges(store)
        self._asking: list[CatchUp] = []
        self._asker: asyncio.Task[None] | None = None
        self._replays: set[asyncio.Task[None]] = set()
        self._reads = asyncio.Semaphore(REPLAYS_AT_ONCE)
        self.replays = 0
        self.replayed: Counter[str] = Counter()
        self.resyncs: Counter[str] = Counter()

    def begin(self, socket: Socket, user_id: UserId, cursor: Cursor | None) -> LiveStream:
        """
        Follow the user's stream of the socket's namespace from the cursor on.

        Ends with ``synced {epoch, seq}``, after a ``resync`` where the cursor
        can't be resumed. Without a cursor everything live from now on is sent.
        """
        catch_up = CatchUp(socket, cursor)
        stream = catch_up.stream = self._live.enter(socket, user_id, catch_up)
        if socket.namespace == WITNESSED:
            self._witness.came(socket.id, user_id, None if cursor is None else cursor.last_seq)
        if stream.is_head_known:
            at_head = cursor is None or (cursor.epoch == self._live.epoch and cursor.last_seq == stream.head)
            if at_head:
                catch_up.began = catch_up.after = stream.head
                self._join(catch_up)
                return stream
        self._ask(catch_up)
        return stream

    def replay(self, socket: Socket, stream: LiveStream, after: int) -> None:
        """
        Send a socket the log again from ``after`` on, as if it had just connected with it.

        Raises:
            Conflict: It is catching up already; ``synced`` tells the end.
        """
        if stream.catching_up is not None and socket in stream.catching_up:
            raise Conflict("a replay is under way, wait for 'synced'")
        catch_up = CatchUp(socket, Cursor(self._live.epoch, after))
        catch_up.stream = stream
        self._live.unsettle(socket, stream, catch_up)
        self._ask(catch_up)

    def ack_later(self, socket: Socket, stream: LiveStream, seq: int) -> bool:
        """Keep an ack for the end of a socket's catching up; return whether nobody knows before of which log it is."""
        catch_up = None if stream.catching_up is None else stream.catching_up.get(socket)
        if not isinstance(catch_up, CatchUp):
            return False
        catch_up.acked = max(catch_up.acked, seq)
        return catch_up.head is None

    async def stop(self) -> None:
        """End everything under way; the clients resume elsewhere or later."""
        tasks = [*self._replays, *([] if self._asker is None else [self._asker])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._badges.stop()

    # Where is the head?

    def _ask(self, catch_up: CatchUp) -> None:
        self._asking.append(catch_up)
        if self._asker is None:
            self._asker = asyncio.create_task(self._ask_for_heads())

    async def _ask_for_heads(self) -> None:
        # One query for all that ask while the one before runs: a herd of clients is few queries.
        try:
            while self._asking:
                batch, self._asking = self._asking[:HEADS_AT_ONCE], self._asking[HEADS_AT_ONCE:]
                try:
                    if self._live.epoch != self._store.epoch:
                        # The store heard of it first: a cursor of the new epoch must find it in force.
                        await self._live.sweep()
                    # Before the look: an event between the two would otherwise be in neither.
                    await self._heard({catch_up.stream.key.user_id for catch_up in batch})
                    heads = await self._store.heads([catch_up.stream.key for catch_up in batch])
                except Exception as error:
                    log.warning("reading heads failed: %s", error, exc_info=not isinstance(error, TocsinError))
                    for catch_up in batch:
                        catch_up.socket.connection.close("unavailable")
                    # Others may have joined by a live event meanwhile.
                    self._live.on_wake([catch_up.stream.key for catch_up in batch])
                    continue
                for catch_up, head in zip(batch, heads, strict=True):
                    self._take_head(catch_up.stream, head)
                    if catch_up.socket.connected:
                        self._start_from(catch_up, head)
        finally:
            self._asker = None

    def _take_head(self, stream: LiveStream, head: Head) -> None:
        if not stream.has_room and (stream.head < head.seq or not stream.is_head_known):
            stream.skip_to(head.seq)
        elif head.seq > stream.head:
            # Others joined before events of other nodes arrived here, and this may be the only look at the log.
            self._live.read_up_to(stream, head.seq)

    def _start_from(self, catch_up: CatchUp, head: Head) -> None:
        cursor, stream, catch_up.head = catch_up.cursor, catch_up.stream, head
        if cursor is None:
            # What was committed after CONNECT is live for this client, even if the head tells of it already.
            catch_up.after = min(head.seq, stream.first_live - 1) if stream.first_live else head.seq
        elif not self._resynced(catch_up, cursor.epoch, cursor.last_seq, head):
            catch_up.after = cursor.last_seq
        catch_up.began = catch_up.after
        if not self._join(catch_up):
            self.replays += 1
            task = asyncio.create_task(self._replay(catch_up))
            self._replays.add(task)
            task.add_done_callback(self._replays.discard)

    def _resynced(self, catch_up: CatchUp, epoch: str | None, last_seq: int, head: Head) -> bool:
        reason = resync_reason(epoch, last_seq, head, self._live.epoch)
        if reason is None:
            return False
        self.resyncs[reason] += 1
        catch_up.acked = 0
        catch_up.began = catch_up.after = head.seq
        if catch_up.stream.key.namespace == WITNESSED:
            self._witness.resynced(catch_up.socket.id, reason)
        catch_up.socket.emit("resync", {"reason": reason, "epoch": self._live.epoch, "seq": head.seq})
        return True

    def _on_resync(self, reason: str, heads: Mapping[StreamKey, int]) -> None:
        mine = {key.user_id: seq for key, seq in heads.items() if key.namespace == WITNESSED}
        if mine or reason == "epoch_changed":
            self._witness.rooms_resynced(reason, mine)

    # From the log to the room

    def _join(self, catch_up: CatchUp) -> bool:
        """Join the room if the recent events reach to the head; True also when the client has gone."""
        socket, stream = catch_up.socket, catch_up.stream
        if not socket.connected:
            return True
        if stream.head < catch_up.after and not stream.has_room:
            stream.skip_to(catch_up.after)
        if not 0 <= stream.head - catch_up.after <= JOIN_WITHIN:
            return False
        if catch_up.after < stream.head:
            packets = stream.recent_after(catch_up.after)
            if packets is None:
                return False
            for packet in packets:
                socket.send(packet)
            self.replayed[stream.key.namespace] += stream.head - catch_up.after
        self._live.settle(socket, stream)
        if catch_up.acked:
            self.on_ack(socket, catch_up.acked)
        if stream.key.namespace == WITNESSED:
            self._witness.caught_up(socket.id, catch_up.began, stream.head)
        # What was read for the cursor tells of the inbox as well, unless more was committed since.
        head = catch_up.head if catch_up.head is not None and catch_up.head.seq == stream.head else None
        socket.emit("synced", {"epoch": self._live.epoch, "seq": stream.head}, more=head is not None)
        self._badges.tell(socket, stream.key, head)
        return True

    async def _replay(self, catch_up: CatchUp) -> None:
        socket, stream = catch_up.socket, catch_up.stream
        try:
            epoch = self._live.epoch
            while epoch != self._live.epoch or not self._join(catch_up):
                if catch_up.after > stream.head:
                    # The log was read before the wake-up of its last events came: the room goes first.
                    await asyncio.wait([self._live.read_up_to(stream, catch_up.after)])
                async with self._reads:
                    told = stream.head
                    part = await self._store.read_stream(stream.key, catch_up.after, READ_EVENTS)
                if not socket.connected:
                    return
                if part.head.seq < told == stream.head:
                    # A wake-up told of what was never committed, or a failover lost the end of the log: the log,
                    # read after it, is right.
                    if stream.has_room:
                        self._live.resync_rooms("ahead_of_head", {stream: part.head.seq})
                    else:
                        stream.skip_to(part.head.seq)
                if self._resynced(catch_up, epoch, catch_up.after, part.head):
                    epoch = self._live.epoch
                else:
                    await self._send(catch_up, part.events)
        except TocsinError as refusal:
            log.warning("a replay failed: %s", refusal.code)
            socket.connection.close("unavailable")
        except Exception:
            log.exception("a replay failed")
            socket.connection.close("unavailable")

    async def _send(self, catch_up: CatchUp, events: list[StreamEvent]) -> None:
        """Send a part of the log no faster than the client takes it."""
        epoch = self._live.epoch
        # The namespaces of a connection that resume together share its bounded queue.
        await catch_up.socket.connection.drained()
        unsent = 0
        for event in events:
            if not catch_up.socket.connected or epoch != self._live.epoch:
                # No event may carry an epoch that its client was not told of.
                return
            packet = self._live.packet(event)
            begun_at = 0 if self._live.tracing is None else time.time_ns()
            catch_up.socket.send(packet)
            if self._live.tracing is not None:
                self._live.tracing.emitted(event, begun_at, 1, is_live=False)
            self.replayed[event.namespace] += 1
            catch_up.after = event.seq
            unsent += len(packet.text)
            if unsent >= SEND_BYTES:
                await catch_up.socket.connection.drained()
                unsent = 0
        await catch_up.socket.connection.drained()
