"""
How a SQLite connection is opened and what its errors mean to a caller.

Transactions are begun and ended by explicit statements: sqlite3's own implicit
``BEGIN`` is deferred, and a deferred writer that meets another one fails at
once instead of waiting for it.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tocsin.adapters.sql.transaction import Reader
from tocsin.domain.errors import Overloaded, StorageFull, TocsinError

BUSY_TIMEOUT_S = 5.0
_LOOK_S = 0.02
_WAL_KEPT_BYTES = 64 * 2**20
# A batch dirties hundreds of pages. At SQLite's 1,000 nearly every second commit
# would copy the log back and flush twice; at 4,000 a third of the time is saved.
_CHECKPOINT_PAGES = 4_000
_CACHE_KIB = 16_384


def open_writer(path: str) -> sqlite3.Connection:
    """Open the connection that writes: WAL, and on disk before a commit returns."""
    connection = _open(path)
    try:
        _begin_wal(connection)
    except BaseException:
        connection.close()
        raise
    # NORMAL would lose the last commits on a power cut, after their acks.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def _begin_wal(connection: sqlite3.Connection) -> None:
    """Set the journal of a new file, for which SQLite does not wait as long as another process is about to write."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def open_reader(path: str) -> sqlite3.Connection:
    """Open a connection that cannot write."""
    connection = _open(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open(path: str) -> sqlite3.Connection:
    # Opened in one thread and closed in another, never used by two at once.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


@contextmanager
def snapshot(connection: Reader) -> Iterator[Reader]:
    """Let every statement inside see the database at one instant."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")


def refusal(error: Exception) -> TocsinError | None:
    """
    Return what a caller is told, or None when the error is a bug of ours.

    A full disk shows as FULL, or as IOERR where the write-ahead index grows.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StorageFull("the disk of the database is full or failing", retry_after_s=10.0)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Overloaded("another transaction holds the database", retry_after_s=1.0)
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM):
        return Overloaded("the database can't be written now", retry_after_s=10.0)
    return None
