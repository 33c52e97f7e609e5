"""A proxy in front of a Redis server that holds back or drops what a test names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class RedisProxy:
    """
    Passes bytes on, in the pieces that they come in.

    Attributes:
        url: Where it is, for ``TOCSIN_REDIS_URL``.
        held: Set once something waits for ``go_on``.
        muted: Pieces from the server that have these bytes in them are dropped; None: none.
        dropped: How many pieces were.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._words = b""
        self._go_on = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self.url = ""
        self.held = asyncio.Event()
        self.muted: bytes | None = None
        self.dropped = 0

    def hold(self, words: bytes) -> None:
        """Let a piece to the server that has these bytes in it wait, and all that follow it."""
        self._words = words
        self._go_on.clear()

    def go_on(self) -> None:
        """Pass on what waits."""
        self._words = b""
        self._go_on.set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        tasks = [asyncio.create_task(self._up(reader, back)), asyncio.create_task(self._down(there, writer))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Before the first wait, which may be cancelled.
            for one in (writer, back):
                one.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, writer.wait_closed(), back.wait_closed(), return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                if self._words and self._words in piece:
                    self.held.set()
                    await self._go_on.wait()
                writer.write(piece)

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                if self.muted is None or self.muted not in piece:
                    writer.write(piece)
                else:
                    self.dropped += 1


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[RedisProxy]:
    """Stand in front of a server, on this event loop."""
    redis = RedisProxy(target)
    server = await asyncio.start_server(redis.accept, "127.0.0.1", 0)
    redis.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    try:
        yield redis
    finally:
        server.close()
        await redis.close()
