"""Drops what is past its time, again and again while the service runs."""

import logging
from collections import Counter
from collections.abc import Callable

from tocsin.application.ports import Store
from tocsin.application.rounds import Rounds
from tocsin.domain.retention import USUAL, Kept
from tocsin.domain.timestamp import now_ms

INTERVAL_S = 600.0

_log = logging.getLogger(__name__)


class Retention:
    """
    The periodic prune. Belongs to the event loop's thread.

    Streams and traces stay as long as ``kept`` says, expired notifications go, idempotency
    keys stay 24 hours, jobs that have ended 7 days, what devices have sealed for each other 90 days.

    Attributes:
        rounds: Its work; prunes at the start and at every interval.
        dropped: Rows that went since the start, by table.
    """

    def __init__(
        self,
        store: Store,
        kept: Kept = USUAL,
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._kept = kept
        self._clock = clock
        self.rounds = Rounds("retention", self._round, longest_s=interval_s)
        self.dropped: Counter[str] = Counter()

    async def prune(self) -> dict[str, int]:
        """Drop what is due now; return the rows dropped by table."""
        dropped = await self._store.prune(self._clock(), self._kept)
        self.dropped.update(dropped)
        return dropped

    async def _round(self) -> None:
        dropped = await self.prune()
        if any(dropped.values()):
            _log.info("retention dropped %s", dropped)
