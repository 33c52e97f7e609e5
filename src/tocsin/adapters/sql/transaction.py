"""What an operation sees of the transaction that it runs in, and a query of its connection, whoever began it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tocsin.adapters.sql.statements import SQL
from tocsin.domain.stream import StreamEvent, StreamKey, ground_of

Values = Mapping[str, Any] | Sequence[Any]
Look = tuple[str, Mapping[str, Any]]


class Foreseen(NamedTuple):
    """
    What an operation will ask for, as far as that is known before: a database that is far may be asked once for all.

    It changes nothing but the time that the operation takes.

    Attributes:
        streams: Whose counters it will raise.
        looks: Queries with values by name.
    """

    streams: Sequence[StreamKey] = ()
    looks: Sequence[Look] = ()


Foresee = Callable[[], Foreseen]
# A list that is made only where a database wants it.
NOTHING_FORESEEN: Foresee = Foreseen


class Found(Protocol):
    """The rows of a query; those of text, numbers and bytes."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Return the rows that are left, one by one."""


class Reader(Protocol):
    """A connection that reads. Belongs to one thread at a time."""

    def execute(self, statement: str, values: Values = (), /) -> Found:
        """Run a query."""


class Outcome(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """Return how many rows it changed."""


class Transaction(Protocol):
    """
    One operation's part of a write transaction. Belongs to one thread.

    An operation raises its refusals before its first write; then the others
    that share the transaction are not disturbed.

    Attributes:
        now: The operation's instant, in milliseconds since 1970.
        events: What the operation appended to streams, in order.
        known: What operations of one transaction look up once for all of them.
    """

    now: int
    events: list[StreamEvent]
    known: dict[str, bool]

    def execute(self, statement: str, values: Values) -> Outcome:
        """Run one statement."""

    def row(self, statement: str, values: Values) -> Any:
        """Run one statement and return its first row, or None."""

    def rows(self, statement: str, values: Values) -> Sequence[Sequence[Any]]:
        """Run a query and return its rows."""

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run one statement for each row; nobody hears what came of it."""

    def count(self, key: StreamKey, unread: int | None) -> tuple[int, int | None]:
        """Raise a stream's counter; return it, and how many are unread then, see ``streams.count``."""

    def foresee(self, foreseen: Foreseen) -> None:
        """Hear what will be asked for."""


def first_seq(transaction: Transaction, key: StreamKey) -> int:
    """Return the seq of the first event of a stream, whose counter says 1; see ``ground_of``."""
    ground = transaction.row(SQL.head, ground_of(key)._asdict())
    if ground is None:
        return 1
    transaction.execute(SQL.begin_above, {**key._asdict(), "ground": ground[0]})
    return int(ground[0]) + 1


class WriterTransaction:
    """A ``Transaction`` on the writer's own connection, in its thread."""

    __slots__ = ("_before", "_connection", "events", "known", "now")

    def __init__(self, connection: sqlite3.Connection, now: int, known: dict[str, bool] | None = None) -> None:
        self._connection = connection
        self._before = connection.total_changes
        self.known = {} if known is None else known
        self.now = now
        self.events: list[StreamEvent] = []

    def execute(self, statement: str, values: Values) -> Outcome:
        """Run one statement."""
        return self._connection.execute(statement, values)

    def row(self, statement: str, values: Values) -> Any:
        """Run one statement and return its first row, or None."""
        return self._connection.execute(statement, values).fetchone()

    def rows(self, statement: str, values: Values) -> Sequence[Sequence[Any]]:
        """Run a query and return its rows."""
        return self._connection.execute(statement, values).fetchall()

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run one statement for each row."""
        self._connection.executemany(statement, rows)

    def count(self, key: StreamKey, unread: int | None) -> tuple[int, int | None]:
        """Raise a stream's counter."""
        seq, total = self._connection.execute(SQL.next_seq, (*key, unread)).fetchone()
        return seq if seq > 1 else first_seq(self, key), total

    def foresee(self, foreseen: Foreseen) -> None:
        """Pass it over: a file is not far."""

    def has_changed(self) -> bool:
        """Return whether this operation has changed any row."""
        return self._connection.total_changes != self._before
