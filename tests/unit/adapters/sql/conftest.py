"""A writer on a database with one small table, and a way to hold it up."""

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from tocsin.adapters.failpoint import Failpoints
from tocsin.adapters.sql.connection import open_writer
from tocsin.adapters.sql.group_commit import GroupCommit
from tocsin.adapters.sql.writing import SqliteWriting
from tocsin.domain.stream import StreamEvent


@dataclass
class Writer:
    """A group commit with what it ran and told."""

    group: GroupCommit
    connection: object
    statements: list[str]
    told: list[list[int]] = field(default_factory=list)

    def count(self, statement: str) -> int:
        return sum(one.startswith(statement) for one in self.statements)

    def heard(self) -> list[int]:
        return [seq for batch in self.told for seq in batch]

    def rows(self) -> list[int]:
        return [row[0] for row in self.connection.execute("SELECT n FROM t ORDER BY rowid")]


@pytest.fixture
async def writer(tmp_path):
    path = str(tmp_path / "t.db")
    connection = open_writer(path)
    connection.execute("CREATE TABLE t (n INTEGER)")
    statements = []
    connection.set_trace_callback(statements.append)
    told = []
    group = GroupCommit(
        SqliteWriting(connection, path),
        lambda events: told.append([event.seq for event in events]),
        lambda: 7,
        Failpoints(),
    )
    yield Writer(group, connection, statements, told)
    await group.stop()
    connection.close()


def insert(n):
    """Make an operation that writes a row, tells of it and returns its number."""

    def operation(transaction):
        transaction.execute("INSERT INTO t VALUES (:n)", {"n": n})
        transaction.events.append(StreamEvent("alice", "/orders", n, "id", "order_updated", b"{}", transaction.now))
        return n

    return operation


@pytest.fixture(name="insert")
def insert_fixture():
    return insert


class Hold:
    """An operation that keeps the writer busy until it is let go."""

    def __init__(self):
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, transaction):
        self.reached.set()
        assert self.go_on.wait(20)


@pytest.fixture
async def held(writer):
    """Hold the writer up in a transaction of its own; what is run meanwhile waits together."""
    hold = Hold()
    holding = asyncio.ensure_future(writer.group.run(hold))
    await asyncio.to_thread(hold.reached.wait, 20)
    yield hold
    hold.go_on.set()
    await holding
