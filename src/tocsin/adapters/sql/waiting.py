"""Callers who wait in a line, and for how long at most: a database may hang without a word."""

import asyncio
from collections import deque
from typing import Any

from tocsin.domain.errors import Overloaded

# Longer than a database itself waits for a lock, whose answer says more.
ANSWER_S = 12.0
# A node has 30 s to end, most of which its clients need.
STOP_S = 3.0
_LOOK_S = 1.0


class Waiting:
    """
    The callers of one writer, in the order in which they are answered. Belongs to the event loop's thread.

    One timer for all: a line of its own in the loop for each write would cost
    more than the rest of its way to the writer.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._line: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any]) -> None:
        """Put a caller at the end; ``Overloaded`` after ANSWER_S, however it goes on with what it asked for."""
        self._line.append((self._loop.time(), future))
        if self._timer is None:
            self._timer = self._loop.call_later(_LOOK_S, self._look)

    def answered(self, count: int) -> None:
        """Let the first of the line go."""
        for _ in range(count):
            self._line.popleft()

    def _look(self) -> None:
        now, due = self._loop.time(), self._timer.when() if self._timer is not None else 0.0
        self._timer = self._loop.call_later(_LOOK_S, self._look) if self._line else None
        if now - due > _LOOK_S:
            # This process stood still, its writer too: what it has got meanwhile is told first.
            return
        latest = now - ANSWER_S
        for since, future in self._line:
            if since > latest:
                break
            if not future.done():
                future.set_exception(no_answer())


async def ends(work: asyncio.Future[None]) -> bool:
    """Return whether what a stop waits for ends by itself in STOP_S; it goes on all the same."""
    done, _ = await asyncio.wait([work], timeout=STOP_S)
    return bool(done)


def no_answer() -> Overloaded:
    """Return what a caller is told of a database that hangs."""
    return Overloaded("the database does not answer", retry_after_s=5.0)
