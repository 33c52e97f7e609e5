"""What the writer thread needs of a database, and how SQLite gives it."""

import logging
import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from tocsin.adapters.sql.connection import refusal
from tocsin.adapters.sql.transaction import Foreseen, Transaction, WriterTransaction
from tocsin.domain.errors import Overloaded, StorageFull, TocsinError

_GONE = "the file of the database was removed or replaced while the server runs"

_log = logging.getLogger(__name__)


class OwnTransaction(Transaction, Protocol):
    """One operation's part of a transaction of the writer."""

    def has_changed(self) -> bool:
        """Return whether this operation has changed any row."""


class Writing(Protocol):
    """
    The connection that writes. Belongs to the writer thread.

    Attributes:
        sees_newer: A transaction that runs sees all that was committed. Where
            not, what arrives after its beginning must not join it.
        most_together: How many operations a transaction takes at its beginning.
    """

    sees_newer: bool
    most_together: int

    @property
    def changes(self) -> int:
        """Return how much was changed over this connection, about."""

    @property
    def is_lost(self) -> bool:
        """Return whether the connection broke; ``begin`` opens another."""

    def begin(self, foreseen: Sequence[Foreseen] = (), *, alone: bool = False) -> None:
        """
        Begin a transaction.

        Args:
            foreseen: What the operations will need that it takes at its beginning.
            alone: While no other writer is in one.
        """

    def transaction(self, now: int, known: dict[str, bool]) -> OwnTransaction:
        """Return one operation's part of the transaction."""

    def commit(self) -> None:
        """Return once what was written is on disk."""

    def roll_back(self) -> None:
        """Undo the transaction, if there still is one. Raises nothing."""

    def is_conflict(self, error: Exception) -> bool:
        """Return whether only another writer was in the way."""

    def refusal(self, error: Exception) -> TocsinError | None:
        """Return what a caller is told, or None when the error is a bug of ours."""

    def make_room(self, error: Exception) -> None:
        """Free what can be freed where that was the error. Raises nothing."""

    def interrupt(self) -> None:
        """End what the writer thread waits for, with an error; from any thread. Raises nothing."""

    def close(self) -> None:
        """Close the connection."""


class SqliteWriting:
    """
    Implements ``Writing``: one writer at a time, which sees all that there is.

    Args:
        connection: Of the file.
        path: Where it is, for as long as this is open; elsewhere nobody would find what is written to it.
    """

    sees_newer = True
    most_together = 1
    is_lost: Final = False

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._file = self._found()
        self._is_there = True

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 for each transaction
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _check_place(self) -> None:
        # With the journals that it had before WAL SQLite itself looks for this.
        is_there, self._is_there = self._is_there, self._found() == self._file
        if not self._is_there:
            if is_there:
                _log.error("%s; stop the server, put the file where it was, start it: %s", _GONE, self._path)
            raise Overloaded(_GONE, retry_after_s=10.0)

    @property
    def changes(self) -> int:
        """Return how many rows were changed over this connection."""
        return self._connection.total_changes

    def begin(self, foreseen: Sequence[Foreseen] = (), *, alone: bool = False) -> None:  # noqa: ARG002 it always is
        """
        Begin a transaction, or wait for that of another process.

        Raises:
            Overloaded: The file is not in its place any more.
        """
        self._check_place()
        self._connection.execute("BEGIN IMMEDIATE")

    def transaction(self, now: int, known: dict[str, bool]) -> OwnTransaction:
        """Return one operation's part of the transaction."""
        return WriterTransaction(self._connection, now, known)

    def commit(self) -> None:
        """Commit."""
        self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo the transaction; a full disk has ended it already."""
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                _log.exception("a transaction did not roll back")

    def is_conflict(self, error: Exception) -> bool:  # noqa: ARG002 there is none
        """Return False: whoever writes is alone."""
        return False

    def refusal(self, error: Exception) -> TocsinError | None:
        """Return what a caller is told."""
        return refusal(error)

    def make_room(self, error: Exception) -> None:
        """Empty the write-ahead log: on a small disk it may be what fills it, long before its checkpoint is due."""
        if isinstance(refusal(error), StorageFull):
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def interrupt(self) -> None:
        """End a statement that runs."""
        self._connection.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
