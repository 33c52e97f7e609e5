"""Drops what is past its time, again and again while the service runs."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from tocsin.application.ports import Store
from tocsin.domain.errors import TocsinError
from tocsin.domain.timestamp import now_ms

INTERVAL_S = 600.0

_log = logging.getLogger(__name__)


class Retention:
    """
    The periodic prune. Belongs to the event loop's thread.

    Streams keep 7 days or 1,000 events, expired notifications go, idempotency
    keys stay 24 hours, what devices have sealed for each other 90 days.

    Attributes:
        dropped: Rows that went since the start, by table.
        failures: Rounds that failed.
    """

    def __init__(self, store: Store, *, interval_s: float = INTERVAL_S, clock: Callable[[], int] = now_ms) -> None:
        self._store = store
        self._interval_s = interval_s
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.dropped: Counter[str] = Counter()
        self.failures = 0

    async def prune(self) -> dict[str, int]:
        """Drop what is due now; return the rows dropped by table."""
        dropped = await self._store.prune(self._clock())
        self.dropped.update(dropped)
        return dropped

    def start(self) -> None:
        """Prune now and at every interval."""
        if self._task is None:
            self._task = asyncio.create_task(self._repeat(), name="tocsin-retention")

    async def stop(self) -> None:
        """Stop pruning; what a round has dropped so far stays dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _repeat(self) -> None:
        while True:
            try:
                dropped = await self.prune()
                if any(dropped.values()):
                    _log.info("retention dropped %s", dropped)
            except TocsinError as error:
                self.failures += 1
                _log.warning("retention waits: %s", error)
            except Exception:  # noqa: BLE001 logged
                # A fault here must not end the upkeep of the whole life.
                self.failures += 1
                _log.exception("retention failed")
            await asyncio.sleep(self._interval_s)
