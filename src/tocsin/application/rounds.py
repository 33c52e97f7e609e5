"""Work that comes round again and again in the background, whatever becomes of one round."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tocsin.domain.errors import TocsinError

_log = logging.getLogger(__name__)


class Rounds:
    """
    Does a piece of work at every interval, in a task of its own. Belongs to the event loop's thread.

    A round that fails is logged and the next one comes: no fault ends them for a whole life. Of failures of one
    cause in a row, as while a database is away, the first is logged and that they are over.

    Args:
        what: The work, in the log and as the task's name: ``retention``.
        work: One round; returns how many seconds the next one may wait, None: ``longest_s``. What it has committed
            before ``stop`` stays.
        longest_s: Seconds between two rounds, at most and after a failure.
        least_s: Seconds between two rounds, however many hurry.

    Attributes:
        failures: Rounds that failed since the start.
    """

    def __init__(
        self, what: str, work: Callable[[], Awaitable[float | None]], *, longest_s: float, least_s: float = 0.0
    ) -> None:
        self._what = what
        self._work = work
        self._longest_s = longest_s
        self._least_s = least_s
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""
        self.failures = 0

    @property
    def hurries(self) -> bool:
        """Return whether the next round comes as soon as it may."""
        return self._news.is_set()

    def hurry(self) -> None:
        """Let the next round come soon; never waits."""
        self._news.set()

    def start(self) -> None:
        """Begin with a round at once; once more changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"tocsin: {self._what}")

    async def stop(self) -> None:
        """Stop, in the middle of a round as well."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            wait_s = await self._round()
            await asyncio.sleep(self._least_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            self._news.clear()

    async def _round(self) -> float:
        try:
            wait_s = await self._work()
        except TocsinError as error:
            self.failures += 1
            if self._trouble != str(error):
                self._trouble = str(error)
                _log.warning("%s can't go on now: %s", self._what, error)
            return self._longest_s
        except Exception:  # noqa: BLE001 logged
            self.failures += 1
            _log.exception("%s failed", self._what)
            return self._longest_s
        if self._trouble:
            self._trouble = ""
            _log.info("%s: going on", self._what)
        return self._longest_s if wait_s is None else wait_s
