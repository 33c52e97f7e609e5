"""How late the event loop is: sampled by a timer that knows when it was due."""

import asyncio

from tocsin.application.meters import Histogram

INTERVAL_S = 0.5


class LoopDelay:
    """
    A sampler of one loop, two samples a second.

    Attributes:
        seconds: How late each sample came; a timer's own grain is a millisecond or so.
    """

    def __init__(self) -> None:
        self.seconds = Histogram()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to sample the running loop."""
        if self._timer is None:
            self._next(asyncio.get_running_loop())

    def stop(self) -> None:
        """Sample no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(INTERVAL_S, self._sample, loop, loop.time() + INTERVAL_S)

    def _sample(self, loop: asyncio.AbstractEventLoop, due_at: float) -> None:
        self.seconds.observe(max(0.0, loop.time() - due_at))
        self._next(loop)
