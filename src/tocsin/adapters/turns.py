"""Who may ask a provider now: so many at once, and few while it answers nobody."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# So many go on asking one that is silent; not one alone, whose own connection may be what is dead.
FEW = 8


class Silent(Exception):
    """The provider answers nobody, and enough wait for it; the message is the reason for a trace."""

    def __init__(self) -> None:
        super().__init__("it answers nobody")


class Turns:
    """
    The places at one provider. Belongs to the event loop's thread.

    All that is being pushed shares a number of places. What waits for a provider
    that hangs would take them all, from those too whom another provider reaches:
    it is told at once, and comes again.

    Args:
        places: How many may ask at once.
    """

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._asking = 0
        self._answered_at = 0.0
        self._is_silent = False

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """
        Wait for a place and hold it; a TimeoutError inside tells that there was no answer.

        Raises:
            Silent: Nobody has been answered for as long as an answer may take.
        """
        async with self._places:
            if self._is_silent and self._asking >= FEW:
                raise Silent
            self._asking += 1
            begun_at = time.monotonic()
            try:
                yield
            except TimeoutError:
                self._is_silent |= self._answered_at < begun_at
                raise
            else:
                self._answered_at = time.monotonic()
                self._is_silent = False
            finally:
                self._asking -= 1
