"""
Reads beside the writer: a few threads, each with a connection of its own.

The database lets them read while a transaction commits; each sees the last
committed state. Which database, and which queries run, is not known here.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from tocsin.adapters.sql.transaction import Reader
from tocsin.adapters.sql.waiting import ANSWER_S, ends, no_answer
from tocsin.domain.errors import Overloaded, TocsinError
from tocsin.domain.stream import Head, StreamKey

T = TypeVar("T")
Query = Callable[[Reader], T]

THREADS = 4
MAX_WAITING = 2_000


class OpenReader(Reader, Protocol):
    """A connection of the pool."""

    def interrupt(self) -> None:
        """End a query that another thread waits for, with an error."""

    def close(self) -> None:
        """Close it."""


class Readers:
    """
    Runs queries on a small pool; methods belong to the event loop's thread.

    Args:
        connect: Opens a connection, in the thread that will use it.
        refusal: What a caller is told of an error; None: the error itself.
    """

    def __init__(self, connect: Callable[[], OpenReader], refusal: Callable[[Exception], TocsinError | None]) -> None:
        self._connect = connect
        self._refusal = refusal
        self._own = threading.local()
        self._connections: list[OpenReader] = []
        self._waiting = 0
        self._is_open = True
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tocsin-reader")

    async def run(self, query: Query[T]) -> T:
        """
        Return what the query returns.

        Raises:
            Overloaded: Too many queries wait, the store has stopped, or the
                database does not answer.
        """
        if not self._is_open:
            raise Overloaded("the server is stopping", retry_after_s=5.0)
        if self._waiting >= MAX_WAITING:
            raise Overloaded("too many reads are waiting", retry_after_s=1.0)
        self._waiting += 1
        try:
            # One that has not begun is dropped; one that hangs keeps its thread.
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, query)
        except TimeoutError:
            raise no_answer() from None
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """Answer what was accepted, as long as the database answers; then close the connections."""
        self._is_open = False
        ended = asyncio.ensure_future(asyncio.to_thread(self._threads.shutdown))
        if not await ends(ended):
            for connection in self._connections:
                connection.interrupt()
        await ended
        for connection in self._connections:
            connection.close()

    def _answer(self, query: Query[T]) -> T:
        connection = getattr(self._own, "connection", None)
        try:
            if connection is None:
                connection = self._own.connection = self._connect()
                self._connections.append(connection)
            return query(connection)
        except Exception as error:
            raise (self._refusal(error) or error) from error


class HeadQuery(Protocol):
    """Reads the heads of one instant, in the order asked."""

    def __call__(self, connection: Reader, keys: Sequence[StreamKey]) -> list[Head]:
        """Return one head a key."""


class HeadReader:
    """
    Answers requests for heads that arrive together with one trip to the pool.

    Thousands of clients that come back at once ask for one head each; what
    arrives while a trip is under way shares the next.
    """

    def __init__(self, readers: Readers, query: HeadQuery) -> None:
        self._readers = readers
        self._query = query
        self._asked: list[tuple[Sequence[StreamKey], asyncio.Future[list[Head]]]] = []
        self._trip: asyncio.Task[None] | None = None

    async def heads(self, keys: Sequence[StreamKey]) -> list[Head]:
        """Return the heads in the order asked, no older than the call."""
        future: asyncio.Future[list[Head]] = asyncio.get_running_loop().create_future()
        self._asked.append((keys, future))
        if self._trip is None:
            self._trip = asyncio.create_task(self._travel(), name="tocsin-heads")
        return await future

    async def _travel(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            keys = [key for wanted, _ in asked for key in wanted]
            try:
                found = iter(await self._readers.run(partial(self._query, keys=keys)))
            except Exception as error:  # noqa: BLE001 the callers get it
                for _, future in asked:
                    if not future.done():
                        future.set_exception(error)
                continue
            for wanted, future in asked:
                heads = [next(found) for _ in wanted]
                if not future.done():
                    future.set_result(heads)
        self._trip = None
