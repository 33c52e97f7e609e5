"""The database for one command, with or without a server beside it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tocsin.adapters.sql.store import SqlStore
from tocsin.bootstrap import open_started_store
from tocsin.settings import Settings

T = TypeVar("T")


def with_store(work: Callable[[SqlStore], Awaitable[T]], *, reads_only: bool = False) -> T:
    """
    Do some work on the configured database and close it.

    A running server on the same file hears of new events by its sweep, within
    seconds. What only reads makes no database, brings none up to date and waits for
    nobody who writes.

    Raises:
        StartError: The database can't be opened.
    """

    async def run() -> T:
        store = await open_started_store(Settings().database_url, reads_only=reads_only)
        try:
            return await work(store)
        finally:
            await store.stop()

    return asyncio.run(run())
