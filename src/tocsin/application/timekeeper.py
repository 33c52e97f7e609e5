"""Does what time alone changes in inboxes, when it is due: snoozes, digests, schedules, expiry."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from tocsin.application.inbox_store import InboxStore
from tocsin.domain.errors import TocsinError
from tocsin.domain.stream import StreamEvent
from tocsin.domain.timestamp import now_ms

# How many rows of a kind one transaction takes: writes of others wait no longer than for these.
PART = 100
# How late what another process has written, or the clock's being set, is noticed.
LOOK_S = 1.0
_PAUSE_S = 0.05

_NEWS = frozenset({"notification", "notification_updated"})
_NO_TIMES = (b'"expires_at":null', b'"snoozed_until":null')
_log = logging.getLogger(__name__)


class Timekeeper:
    """
    Works off what is due, in this process. Belongs to the event loop's thread.

    What was due while nothing ran is done at the start. Several may run on one database: nothing is done twice.

    Args:
        store: The inboxes.
        clock: Milliseconds since 1970.
    """

    def __init__(self, store: InboxStore, *, clock: Callable[[], int] = now_ms) -> None:
        self._store = store
        self._clock = clock
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what is due."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="tocsin-timekeeper")

    async def stop(self) -> None:
        """Stop after the transaction that is under way; the rest comes after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def look(self) -> None:
        """Look soon: something was written that may be due before anything else; never waits."""
        self._news.set()

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Look soon where what was committed may have set a time."""
        if not self._news.is_set() and any(event.event in _NEWS and _sets_time(event) for event in events):
            self.look()

    async def work_off(self) -> int | None:
        """Do all that is due now; return when time changes something next."""
        while (due_at := await self._store.next_change()) is not None and due_at <= self._clock():
            if not await self._store.change_by_time(PART):
                break
        return due_at

    async def _run(self) -> None:
        while True:
            wait_s = LOOK_S
            try:
                due_at = await self.work_off()
                if due_at is not None:
                    wait_s = min(LOOK_S, max(0.0, (due_at - self._clock()) / 1000))
            except TocsinError as error:
                _log.warning("snoozes, schedules and expiry wait: %s", error)
            except Exception:  # noqa: BLE001 logged
                # A fault of one round must not end the clock for the whole life.
                _log.exception("snoozes, schedules and expiry failed")
            await self._wait(wait_s)

    async def _wait(self, longest_s: float) -> None:
        # In a burst one look is enough, and what is due and can't be done is not looked at without a pause.
        await asyncio.sleep(_PAUSE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._news.wait()
        self._news.clear()


def _sets_time(event: StreamEvent) -> bool:
    # Nearly every notification has no time of its own; the payload is the server's own, so its text tells.
    return event.event != "notification" or not all(words in event.payload for words in _NO_TIMES)
