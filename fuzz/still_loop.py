"""An event loop in which waiting takes no time: its clock jumps to whatever is due next."""

import asyncio
import selectors
from typing import Any


class _Jump(selectors.SelectSelector):
    """Waits by moving a loop's clock; no file ever becomes ready."""

    loop: "StillLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that never comes")
        self.loop.now += max(timeout, 0.0)
        return []


class StillLoop(asyncio.SelectorEventLoop):
    """
    Runs asyncio's own code, with the time of a simulation. No sockets, no threads.

    Attributes:
        now: Its clock, in seconds.
        complaints: What its exception handler was told.
    """

    def __init__(self) -> None:
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)
        self.now = 1_000.0
        self.complaints: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.complaints.append(context))

    def time(self) -> float:
        """Return the time of the simulation."""
        return self.now
