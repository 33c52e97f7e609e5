"""Every adapter of a port, opened on something of its own for one test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tocsin.adapters.sql import schema
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.postgres import PostgresStore
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.application.ports import Store
from tocsin.domain import identifier
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamEvent
from tocsin.domain.user_id import UserId

NOON = 1_795_348_800_000  # 2026-11-22T12:00:00Z


@dataclass
class Clock:
    """A wall clock that stands until it is set."""

    now: int = NOON

    def __call__(self) -> int:
        return self.now

    def forward(self, *, hours: float = 0, days: float = 0) -> None:
        self.now += int((days * 24 + hours) * 3_600_000)


@dataclass
class Opened:
    """A started store, and what it has told of since."""

    store: Store
    events: list[StreamEvent] = field(default_factory=list)

    def take(self) -> list[StreamEvent]:
        """Return the events since the last call."""
        taken, self.events[:] = list(self.events), []
        return taken


Open = Callable[[], Awaitable[Opened]]


async def everything(store: Store) -> str:
    """Return what is in all the tables."""
    queries = [compiled(select(table)) for table in schema.metadata.sorted_tables]
    return repr(await store.read(lambda reader: [reader.execute(query).fetchall() for query in queries]))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def falling_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each new id sort before the one made before it, as of processes whose clocks lag ever more."""
    instants = count(NOON, -1_000)
    monkeypatch.setattr(identifier, "uuid7", lambda: identifier.derived_id(next(instants)))


@pytest.fixture(params=["sqlite", "postgresql"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Callable[[], Store]:
    """Return what makes a store on the test's own database."""
    if request.param == "sqlite":
        return lambda: SqliteStore(str(tmp_path / "tocsin.db"), clock=clock)
    url = request.getfixturevalue("postgres_url")
    return lambda: PostgresStore(url, clock=clock)


@pytest.fixture
async def open_store(make_store: Callable[[], Store]) -> AsyncIterator[Open]:
    """Open a store; a second call opens the same database, as another process would."""
    async with AsyncExitStack() as stack:

        async def open_one() -> Opened:
            opened = Opened(make_store())
            await opened.store.start()
            opened.store.on_commit = opened.events.extend
            stack.push_async_callback(opened.store.stop)
            return opened

        yield open_one


@pytest.fixture
async def opened(open_store: Open) -> Opened:
    return await open_store()


@pytest.fixture
def store(opened: Opened) -> Store:
    return opened.store


@pytest.fixture
def draft() -> Callable[..., NotificationDraft]:
    """Make a draft to ``alice`` unless said otherwise."""

    def make(user_id: str = "alice", **fields: Any) -> NotificationDraft:
        wanted = {"type": "order", "title": "On its way", "message": "It arrives tomorrow.", **fields}
        return NotificationDraft(user_id=UserId(user_id), **wanted)

    return make
