"""
One timer for any number of deadlines.

Entries due in the same tick share a set; the loop holds one handle for all of
them, and none while the wheel is empty. What a deadline means is not known here.
"""

import logging
from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger(__name__)


class Entry(Protocol):
    """
    What can wait on a wheel; it waits for one deadline at a time.

    Attributes:
        due_tick: Belongs to the wheel; 0 while not scheduled, and at first.
    """

    due_tick: int

    def on_due(self, now: float) -> float | None:
        """Act on the deadline; return seconds until the next one, or None for none."""


class Timer:
    """A deadline that calls a function once; made by ``TimerWheel.call_later``."""

    __slots__ = ("_callback", "_wheel", "due_tick")

    def __init__(self, wheel: "TimerWheel", callback: Callable[[], None]) -> None:
        self.due_tick = 0
        self._wheel = wheel
        self._callback = callback

    def on_due(self, now: float) -> None:  # noqa: ARG002 — an Entry gets the time
        """Call the function."""
        self._callback()

    def cancel(self) -> None:
        """Forget the call; without effect when it was made."""
        self._wheel.cancel(self)


class TimerWheel:
    """
    Deadlines in ticks: never early, late by at most a tick and the loop's own lag.

    Belongs to one event loop and its thread; binds to the running loop at the
    first ``schedule``. Rescheduling and cancelling cost O(1).

    Args:
        tick_s: Resolution in seconds.
        batch: Entries handled before other work of the loop gets its turn.
    """

    __slots__ = ("_batch", "_buckets", "_due", "_handle", "_loop", "_origin", "_tick", "tick_s")

    def __init__(self, tick_s: float = 0.25, *, batch: int = 256) -> None:
        self.tick_s = tick_s
        self._batch = batch
        self._loop: AbstractEventLoop | None = None
        self._origin = 0.0
        # Keyed by absolute tick, so a deadline of hours costs what one of seconds does.
        self._buckets: dict[int, set[Entry]] = {}
        self._due: set[Entry] = set()
        self._tick = 0
        self._handle: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due) + sum(map(len, self._buckets.values()))

    def bind(self, loop: AbstractEventLoop) -> AbstractEventLoop:
        """Belong to this loop; only the first call counts."""
        if self._loop is None:
            self._loop = loop
            self._origin = loop.time()
        return self._loop

    def schedule(self, entry: Entry, delay_s: float) -> None:
        """
        Let the entry wait for ``delay_s`` from now, instead of what it waits for.

        Args:
            entry: Kept alive until it is due or cancelled.
            delay_s: Seconds; zero or less is the next tick.
        """
        loop = self._loop or self.bind(get_running_loop())
        # The next tick at or after the deadline, and never one that has run.
        tick = max(-int((self._origin - loop.time() - delay_s) // self.tick_s), self._tick + 1)
        if entry.due_tick:
            if entry.due_tick == tick:
                return
            self.cancel(entry)
        entry.due_tick = tick
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = set()
        bucket.add(entry)
        self._arm(loop)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call a function once, ``delay_s`` from now; what it raises is logged."""
        timer = Timer(self, callback)
        self.schedule(timer, delay_s)
        return timer

    def cancel(self, entry: Entry) -> None:
        """Forget the entry's deadline; without effect when it has none."""
        tick = entry.due_tick
        if not tick:
            return
        entry.due_tick = 0
        bucket = self._buckets.get(tick)
        if bucket is None:
            # Its tick has come and the entry still waits for its turn in the batch.
            self._due.discard(entry)
            return
        bucket.discard(entry)
        if not bucket:
            del self._buckets[tick]

    def stop(self) -> None:
        """Forget every deadline."""
        for bucket in (*self._buckets.values(), self._due):
            for entry in bucket:
                entry.due_tick = 0
        self._buckets.clear()
        self._due.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, loop: AbstractEventLoop) -> None:
        if self._handle is not None or not self._buckets:
            return
        # An empty wheel does not turn; skip the ticks in which nothing could be due.
        passed = int((loop.time() - self._origin) // self.tick_s)
        self._tick = max(self._tick, min(passed, min(self._buckets) - 1))
        self._handle = loop.call_at(self._origin + (self._tick + 1) * self.tick_s, self._on_tick)

    def _on_tick(self) -> None:
        loop = self._loop
        assert loop is not None
        self._handle = None
        # A loop that wakes up at a tick may measure the last bit less than that.
        last = int((loop.time() - self._origin) / self.tick_s + 1e-6)
        while self._tick < last:
            self._tick += 1
            bucket = self._buckets.pop(self._tick, None)
            if bucket is not None:
                self._due |= bucket
        self._run_due()
        self._arm(loop)

    def _run_due(self) -> None:
        loop = self._loop
        assert loop is not None
        now = loop.time()
        due = self._due
        for _ in range(self._batch):
            if not due:
                break
            entry = due.pop()
            entry.due_tick = 0
            try:
                delay_s = entry.on_due(now)
                if delay_s is not None:
                    self.schedule(entry, delay_s)
            except Exception:
                logger.exception("A timer failed")
        if due:
            # Thousands of pings in one tick would delay every other connection.
            loop.call_soon(self._run_due)
