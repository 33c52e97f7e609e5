"""The HTTP/1.1 server on loopback, in a thread of its own, that the fake providers have in common."""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class LoopbackServer:
    """
    A server on a free port of 127.0.0.1; a context manager. What a request gets is its subclass's.

    Attributes:
        host: Its address with its port.
        url: Its origin.
    """

    def __init__(self, name: str) -> None:
        self.host = ""
        self.url = ""
        self._loop: asyncio.AbstractEventLoop
        self._connections: set[asyncio.Task[None]] = set()
        self._arrival = threading.Condition()
        self._is_up = threading.Event()
        self._down: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join()

    def _wait_in(self, taken: list[T], count: int, timeout_s: float) -> T:
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(taken) >= count, timeout_s):
                raise TimeoutError(f"{len(taken)} came, {count} were waited for")
            return taken[count - 1]

    def _take_in(self, taken: list[T], one: T) -> None:
        with self._arrival:
            taken.append(one)
            self._arrival.notify_all()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request, in the server's thread; False: the connection is cut."""
        raise NotImplementedError

    async def _live(self) -> None:
        self._loop, self._down = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.url = f"http://{self.host}"
        self._is_up.set()
        async with server:
            await self._down.wait()
            # asyncio would leave open whom it is accepting when a server closes: it finishes first.
            for listener in server.sockets:
                self._loop.remove_reader(listener.fileno())
            for _ in range(5):
                await asyncio.sleep(0)
            server.close()
            while self._connections:
                for connection in self._connections:
                    connection.cancel()
                await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of ours: asyncio logs the end of its own as an error.
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        # Also of one that is cancelled before it has begun.
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, EOFError):
                while await self._serve_one(reader, writer):
                    pass
        finally:
            writer.close()
            # Before the loop ends, which would leave the transport open.
            with suppress(OSError):
                await writer.wait_closed()
