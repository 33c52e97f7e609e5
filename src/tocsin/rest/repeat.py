"""Says something again and again, as long as the event loop turns."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def repeated(say: Callable[[], None], every_s: float) -> Generator[None, None, None]:
    """Call it each time that so many seconds have passed, until the block ends."""
    loop = asyncio.get_running_loop()

    def again() -> None:
        nonlocal timer
        say()
        timer = loop.call_later(every_s, again)

    timer = loop.call_later(every_s, again)
    try:
        yield
    finally:
        timer.cancel()
