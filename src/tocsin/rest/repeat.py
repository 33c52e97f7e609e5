"""Says something again and again, as long as the event loop turns."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def repeated(say: Callable[[], None], every_s: float) -> Generator[None, None, None]:
    """Call it each time that so many seconds have passed, until the block ends."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(every_s)
            say()

    task = asyncio.get_running_loop().create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
