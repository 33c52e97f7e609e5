"""
Operations in a transaction that a host began, on a connection of SQLAlchemy, and will end.

On PostgreSQL a host's transaction sees what others commit meanwhile, mostly. An
operation counts on it that what it has read stays so. So each locks the counters
of its streams before it reads: whoever changes anything of theirs takes them. And
a node that must be alone to get anything done is left alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult

from tocsin.adapters.sql.dialects import for_host
from tocsin.adapters.sql.statements import BESIDE, SQL
from tocsin.adapters.sql.transaction import Foreseen, Outcome, Values, first_seq
from tocsin.domain.stream import StreamEvent, StreamKey


class HostTransaction:
    """
    A ``Transaction`` of a host.

    Attributes:
        has_written: Something was sent that may have changed rows.
    """

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self.now = now
        self.events: list[StreamEvent] = []
        self.known: dict[str, bool] = {}
        self.has_written = False

    def execute(self, statement: str, values: Values) -> Outcome:
        """Run one statement."""
        self.has_written = True
        return self._run(statement, values)

    def row(self, statement: str, values: Values) -> Any:
        """Run one statement and return its first row, or None."""
        self.has_written |= not statement.startswith("SELECT")
        row = self._run(statement, values).first()
        return None if row is None else _plain(row)

    def rows(self, statement: str, values: Values) -> Sequence[Sequence[Any]]:
        """Run a query and return its rows."""
        return [_plain(row) for row in self._run(statement, values)]

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run one statement for each row."""
        if rows:  # none would be one statement without values
            self.has_written = True
            self._run_many(statement, rows)

    def count(self, key: StreamKey, unread: int | None) -> tuple[int, int | None]:
        """Raise a stream's counter."""
        seq, total = self.row(SQL.next_seq, (*key, unread))
        return seq if seq > 1 else first_seq(self, key), total

    def foresee(self, foreseen: Foreseen) -> None:
        """Lock what is to be counted, which a file is already, as a whole."""
        if self._connection.dialect.name != "sqlite":
            self._lock(foreseen.streams)

    def _lock(self, keys: Iterable[StreamKey]) -> None:
        # In ascending order, as everybody takes the locks of several rows. It is no write: what is refused
        # afterwards leaves no half of anything.
        ordered = sorted(set(keys))
        if ordered:
            self._connection.exec_driver_sql(BESIDE)
            counted = [(*key, 0 if key.namespace == "/notifications" else None) for key in ordered]
            self._run_many(SQL.lock_stream, counted)

    def _run_many(self, statement: str, rows: Sequence[Values]) -> None:
        sent = [for_host(statement, row, self._connection.dialect) for row in rows]
        self._connection.exec_driver_sql(sent[0][0], [values for _, values in sent])

    def _run(self, statement: str, values: Values) -> CursorResult[Any]:
        return self._connection.exec_driver_sql(*for_host(statement, values, self._connection.dialect))


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    # Bytes are a view of the driver's memory with some.
    return tuple([bytes(value) if isinstance(value, memoryview) else value for value in row])
