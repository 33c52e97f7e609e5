"""
The relay: climbs the push ladder of notifications that nobody has acknowledged, and takes back what was.

One row a notification says what is due (``adapters.sql.deliveries``), written in the transaction
that created it; so what is committed is sent, whatever process dies when. The relay claims
what is due for a time, sends, and records each attempt. A process that dies between sending and
recording makes the next one send again: under the same tag, which providers and devices
take for the same message. What is to be done is decided by ``escalation``.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from tocsin.application.deliveries import DeliveryStore, Due, Settlement
from tocsin.application.dispatch import Dispatch
from tocsin.application.escalation import Step, next_step
from tocsin.application.push import Route
from tocsin.application.tracing import Tracing
from tocsin.domain.delivery import Delivery
from tocsin.domain.errors import TocsinError
from tocsin.domain.jitter import jitter
from tocsin.domain.ladder import Ladders
from tocsin.domain.stream import StreamEvent
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId

# What a process that died has held is free again after this; a living one renews it.
HOLD_MS = 15_000
RENEW_S = 5.0
MAX_UNDER_WAY = 512
CLAIM = 32
# How long what another process has committed may wait.
LOOK_S = 1.0
# What is committed in one burst is claimed together, and what ends in one is recorded together.
GATHER_S = 0.02
# Those who have a socket wait for the writer too: a little at a time.
RECORD = 16
_STOP_S = 5.0

_NEWS = frozenset({"notification", "notification_read", "notification_updated", "notification_deleted"})

_log = logging.getLogger(__name__)


class Relay:
    """
    Works off what is due, in this process. Belongs to the event loop's thread.

    Several may run on one database: each delivery is held by one of them.

    Args:
        store: The ladder's memory.
        routes: What can be sent to.
        ladders: Which channels are climbed when.
        is_online: Whether a user has a socket; None: nobody knows.
        tracing: Is told what was sent; None: nothing is followed.
        clock: Milliseconds since 1970.
        jitter: Picks a number between two.

    Attributes:
        attempts: What was recorded since the start, by channel and outcome.
        late_s: How long ago what was claimed last had become due.
    """

    def __init__(
        self,
        store: DeliveryStore,
        routes: Sequence[Route[Any]],
        ladders: Ladders,
        *,
        is_online: Callable[[UserId], bool | None] = lambda _: None,
        tracing: Tracing | None = None,
        clock: Callable[[], int] = now_ms,
        jitter: Callable[[float, float], float] = jitter,
    ) -> None:
        self._store = store
        self._dispatch = Dispatch(routes, tracing=tracing, clock=clock, jitter=jitter)
        self._ladders = ladders
        self._is_online = is_online
        self._clock = clock
        self._news = asyncio.Event()
        self._working: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        # By id and lease, until it is recorded.
        self._held: dict[tuple[str, int], Delivery] = {}
        self._unrecorded: list[Settlement] = []
        self._recorder: asyncio.Task[None] | None = None
        # The database takes nothing now. What is held may be nobody's when it does again, and must be recorded first.
        self._is_away = False
        self._tasks: list[asyncio.Task[None]] = []
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.late_s = 0.0

    @property
    def under_way(self) -> int:
        """Return how many deliveries this process holds."""
        return len(self._held)

    def start(self) -> None:
        """Begin to look for what is due."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._run(), name="tocsin-relay"),
                asyncio.create_task(self._renew(), name="tocsin-relay-renew"),
            ]

    async def stop(self) -> None:
        """Claim nothing more; what is under way has five seconds. What is not recorded then is sent again."""
        await _ended(self._tasks[:1])
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self.idle()
        await _ended(self._under_way())
        await _ended(self._tasks)
        self._tasks = []

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Look soon: what was committed may have made something due; never waits."""
        if not self._news.is_set() and any(event.event in _NEWS for event in events):
            self._news.set()

    async def _run(self) -> None:
        while True:
            try:
                if await self.work_once() < CLAIM:
                    await self._wait()
            except TocsinError as error:
                _log.warning("the push ladder waits: %s", error)
                await asyncio.sleep(LOOK_S)
            except Exception:  # noqa: BLE001 logged
                # A fault of one round must not end pushes for the whole life.
                _log.exception("the push ladder failed")
                await asyncio.sleep(LOOK_S)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if self._held:
                try:
                    await self._store.renew(list(self._held.values()), HOLD_MS)
                    self._is_away = False
                except TocsinError:
                    self._is_away = True  # at worst another process sends the same under the same tag
                except Exception:  # noqa: BLE001 logged: it must not end all renewals to come
                    _log.exception("leases of pushes under way could not be renewed")

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()
        self._news.clear()
        await asyncio.sleep(GATHER_S)

    async def work_once(self) -> int:
        """Claim some of what is due and begin with it; return how much that was."""
        while len(self._held) > MAX_UNDER_WAY - CLAIM:
            self._room.clear()
            await self._room.wait()
        if self._is_away and self._held:
            return 0
        due_at = await self._store.next_due()
        now = self._clock()
        self.late_s = 0.0 if due_at is None else max(0, now - due_at) / 1_000
        if due_at is None or due_at > now:
            return 0
        claimed = await self._store.claim(CLAIM, HOLD_MS)
        for due in claimed:
            held = due.delivery
            self._held[held.notification_id, held.lease] = held
            rungs = self._ladders.of(held.category, held.priority)
            step = next_step(due, rungs, is_online=self._is_online(held.user_id), now=self._clock())
            settlement = self._dispatch.without_sending(due, step)
            if settlement is None:
                task = asyncio.create_task(self._carry_out(due, step), name="tocsin-delivery")
                self._working.add(task)
                task.add_done_callback(self._working.discard)
            else:
                self._record(settlement)
        return len(claimed)

    async def idle(self) -> None:
        """Return when nothing is under way, and all that came of it is recorded."""
        while tasks := self._under_way():
            await asyncio.wait(tasks)

    def _under_way(self) -> list[asyncio.Task[None]]:
        return [*self._working, *([] if self._recorder is None else [self._recorder])]

    async def _carry_out(self, due: Due, step: Step) -> None:
        try:
            settlement = await self._dispatch.carry_out(due, step)
        except BaseException as error:
            # Its row stays held, and is due again soon.
            self._let_go(due.delivery)
            if isinstance(error, Exception):
                _log.error("a delivery failed and will be tried again: %s", type(error).__name__)
                return
            raise
        self._record(settlement)

    def _record(self, settlement: Settlement) -> None:
        self._unrecorded.append(settlement)
        self.attempts.update([(one.channel, one.outcome) for one in settlement.attempts])
        if self._recorder is None:
            self._recorder = asyncio.create_task(self._record_all(), name="tocsin-relay-record")

    async def _record_all(self) -> None:
        try:
            while self._unrecorded:
                if len(self._unrecorded) < RECORD:
                    await asyncio.sleep(GATHER_S)
                batch = self._unrecorded[:RECORD]
                await self._settle(batch)
                del self._unrecorded[: len(batch)]
                for settlement in batch:
                    self._let_go(settlement.delivery)
        finally:
            self._recorder = None

    async def _settle(self, batch: Sequence[Settlement]) -> None:
        # What was sent and is not recorded would be sent again: a full disk is waited for.
        while True:
            try:
                await self._store.settle(batch)
            except TocsinError as error:
                self._is_away = True
                _log.warning("a push was sent and waits to be recorded: %s", error)
                await asyncio.sleep(LOOK_S)
            except Exception as error:  # noqa: BLE001 logged; one that can't be recorded spoils no other
                if len(batch) == 1:
                    _log.error("a delivery could not be recorded and will be tried again: %s", type(error).__name__)
                    return
                for settlement in batch:
                    await self._settle([settlement])
                return
            else:
                self._is_away = False
                return

    def _let_go(self, held: Delivery) -> None:
        del self._held[held.notification_id, held.lease]
        self._room.set()


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
