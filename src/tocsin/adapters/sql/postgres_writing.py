"""
How PostgreSQL is written: transactions in which every operation sees one instant, sent in a pipeline.

An operation may be sure that nobody else changes what it has read, as on
SQLite, which has one writer: a transaction is of isolation REPEATABLE READ,
and whoever meets a row that another one has changed since is undone and does
it again, then with all other writers waiting. Each operation that counts on
what it has read changes a row of it (the counter of the stream, the row that
it claims), so that there always is one to meet.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
from psycopg import Connection, Cursor, Pipeline, errors

from tocsin.adapters.sql.dialects import for_postgres
from tocsin.adapters.sql.postgres_batch import Batch
from tocsin.adapters.sql.postgres_connection import Patience, connect, cut, refusal, send_all
from tocsin.adapters.sql.statements import BESIDE
from tocsin.adapters.sql.transaction import Foreseen, Outcome, Values
from tocsin.adapters.sql.writing import OwnTransaction
from tocsin.domain.errors import TocsinError
from tocsin.domain.stream import StreamEvent, StreamKey

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"
# Waits for all who are in a transaction, and holds up the next.
_ALONE = "LOCK TABLE tocsin_life IN EXCLUSIVE MODE"
# How often one that met another before it did anything begins anew.
_TIMES_ANEW = 3


class PostgresTransaction:
    """
    A ``Transaction`` on the writer's connection, in its thread.

    What nobody waits for is kept, or sent and not awaited: an error of it comes
    with a later statement, or with the commit.
    """

    __slots__ = ("_has_kept", "_outcomes", "_writing", "events", "known", "now")

    def __init__(self, writing: "PostgresWriting", now: int, known: dict[str, bool]) -> None:
        self._writing = writing
        self.known = known
        self.now = now
        self.events: list[StreamEvent] = []
        self._outcomes: list[_Outcome] = []
        self._has_kept = False

    def execute(self, statement: str, values: Values) -> Outcome:
        """Run one statement."""
        outcome = _Outcome(self._writing, self._writing.send(statement, values))
        self._outcomes.append(outcome)
        return outcome

    def row(self, statement: str, values: Values) -> Any:
        """Run one statement and return its first row, or None."""
        if (found := self._writing.batch.looks.rows(statement, values)) is not None:
            return found[0] if found else None
        cursor = self._writing.send(statement, values)
        row = cursor.fetchone()
        if not statement.startswith("SELECT"):
            self._outcomes.append(_Outcome(self._writing, cursor))
        return row

    def rows(self, statement: str, values: Values) -> Sequence[Sequence[Any]]:
        """Run a query and return its rows."""
        found = self._writing.batch.looks.rows(statement, values)
        return self._writing.send(statement, values).fetchall() if found is None else found

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run one statement for each row."""
        if not rows:
            return
        if self._writing.keep(statement, rows):
            self._has_kept = True
        else:
            self._outcomes.append(_Outcome(self._writing, self._writing.send_many(statement, rows)))

    def count(self, key: StreamKey, unread: int | None) -> tuple[int, int | None]:
        """Raise a stream's counter."""
        self._has_kept = True
        return self._writing.batch.counters.count(key, unread)

    def foresee(self, foreseen: Foreseen) -> None:
        """Ask for it in one trip."""
        self._writing.batch.foresee([foreseen])

    def has_changed(self) -> bool:
        """Return whether this operation has changed any row."""
        return self._has_kept or any(outcome.rowcount for outcome in self._outcomes)


class _Outcome:
    """What came of a statement, awaited when it is asked for, with that of all that were sent by then."""

    __slots__ = ("_cursor", "_sent_at", "_writing")

    def __init__(self, writing: "PostgresWriting", cursor: Cursor) -> None:
        self._writing = writing
        self._cursor = cursor
        self._sent_at = writing.changes

    @property
    def rowcount(self) -> int:
        """Return how many rows it changed."""
        if self._sent_at > self._writing.heard:
            self._writing.wait()
        return max(self._cursor.rowcount, 0)


class PostgresWriting:
    """
    Implements ``Writing``: nodes write at once.

    Attributes:
        changes: Statements and rows sent or kept.
        heard: How many these were when all that was sent had been answered.
        is_lost: The last transaction broke with its connection.
    """

    # A transaction sees its beginning: who was answered by another node since would miss it.
    sees_newer = False
    # More are hardly faster, and the first waits longer.
    most_together = 256

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection = connect(url)
        self._open = ExitStack()
        self._pipeline: Pipeline | None = None
        self._patience = Patience()
        self.batch = Batch(self._send_now)
        self.changes = self.heard = 0
        self.is_lost = False

    def begin(self, foreseen: Sequence[Foreseen] = (), *, alone: bool = False) -> None:
        """
        Begin a transaction and take the counters that are foreseen; connect again where the connection has broken.

        Who meets another one there has done nothing yet, waits for its end and begins anew. Where it raises, as when
        that end does not come in time, there is no transaction.
        """
        if self._connection.closed:
            self._connect()
        self.is_lost = False
        # At last without: whose it is will be seen when the operations run.
        for wanted in (*[foreseen] * _TIMES_ANEW, ()):
            try:
                self._begin(alone=alone)
                self.batch.foresee(wanted)
            except Exception as error:
                self.roll_back()
                if self.is_lost or not wanted or isinstance(error, errors.LockNotAvailable):
                    raise
            else:
                return

    def _begin(self, *, alone: bool) -> None:
        self.batch.forget()
        self._pipeline = self._open.enter_context(self._connection.pipeline())
        self._connection.execute(_BEGIN)
        self._connection.execute(_ALONE if alone else BESIDE)
        if alone:
            self.wait()

    def _connect(self) -> None:
        self._patience.check()
        try:
            self._connection = connect(self._url)
        except psycopg.Error:
            self._patience.failed()
            raise
        self._patience.succeeded()

    def transaction(self, now: int, known: dict[str, bool]) -> OwnTransaction:
        """Return one operation's part of the transaction."""
        return PostgresTransaction(self, now, known)

    def send(self, statement: str, values: Values) -> Cursor:
        """Send a statement; what comes back is awaited by whoever reads it."""
        self.changes += 1
        self.batch.write_before(statement)
        return self._send_now(for_postgres(statement), values)

    def _send_now(self, text: str, values: Values) -> Cursor:
        cursor = self._connection.cursor().execute(text, values)
        send_all(self._connection)
        return cursor

    def keep(self, statement: str, rows: Sequence[Values]) -> bool:
        """Keep new rows, to be written with those of others; return whether these can be."""
        is_kept = self.batch.keep(statement, rows)
        self.changes += len(rows) if is_kept else 0
        return is_kept

    def send_many(self, statement: str, rows: Sequence[Values]) -> Cursor:
        """Send a statement for each row."""
        self.changes += len(rows)
        self.batch.write_before(statement)
        cursor = self._connection.cursor()
        cursor.executemany(for_postgres(statement), rows)
        send_all(self._connection)
        return cursor

    def wait(self) -> None:
        """Wait for what comes back of all that was sent."""
        if self._pipeline is not None:
            self._pipeline.sync()
            self.heard = self.changes

    def commit(self) -> None:
        """Commit; without an answer nobody knows whether it did."""
        self.batch.write()
        ended = self._connection.execute("COMMIT")
        self.wait()
        if ended.statusmessage != "COMMIT":
            raise errors.TransactionRollback(f"the transaction ended with {ended.statusmessage}")
        try:
            self._leave_pipeline()
        except psycopg.Error:
            # It is committed: whoever heard of an error would do it again.
            self._connection.close()

    def roll_back(self) -> None:
        """Undo the transaction, or give up a connection that is of no use any more."""
        with suppress(psycopg.Error):
            self._leave_pipeline()
        try:
            self._connection.rollback()
        except psycopg.Error:
            self._connection.close()
        self.is_lost = self._connection.closed

    def _leave_pipeline(self) -> None:
        self._pipeline = None
        self._open.close()

    def is_conflict(self, error: Exception) -> bool:
        """Return whether it met another writer: a row changed since, a lock crosswise, a key just taken."""
        met = errors.SerializationFailure | errors.DeadlockDetected | errors.UniqueViolation
        return isinstance(error, met)

    def refusal(self, error: Exception) -> TocsinError | None:
        """Return what a caller is told."""
        return refusal(error)

    def make_room(self, error: Exception) -> None:
        """Leave a server that takes no writes any more, as after a failover; a full disk is its own business."""
        if isinstance(error, errors.ReadOnlySqlTransaction):
            self._connection.close()

    def interrupt(self) -> None:
        """Cut the connection off."""
        cut(self._connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
