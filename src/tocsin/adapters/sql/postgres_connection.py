"""
How a connection to PostgreSQL is opened and what its errors mean to a caller.

The only modules that import psycopg are those named ``postgres``: it is an
extra.
"""

import os
import socket
import time
from contextlib import suppress

import psycopg
from psycopg import Connection, conninfo, errors
from psycopg.abc import PQGen
from psycopg.pq.abc import PGconn
from psycopg.types.numeric import Int8Dumper
from psycopg.waiting import Ready, Wait

from tocsin.domain.errors import Invalid, Overloaded, StorageFull, TocsinError

# What psycopg says of a text that PostgreSQL can neither store nor look for.
_NUL = "NUL (0x00)"
_CONNECT_TIMEOUT_S = 3
_RETRY_FIRST_S = 0.1
_RETRY_MOST_S = 1.0
# A node or a network that is gone is noticed within these, by whichever side is left.
_LINK = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "application_name": "tocsin",
}
# Statements are few and run for ever: all of them stay prepared.
_PREPARED = 400
_SETTINGS = """
SELECT set_config('lock_timeout', '10s', false),
       set_config('idle_in_transaction_session_timeout', '10s', false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit')
         WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""


class _Number(Int8Dumper):
    # Sent without a type, like text and NULL: else each mix of numbers and NULLs would be a statement to prepare.
    oid = 0


def server_of(database_url: str) -> str:
    """
    Return the URL as libpq takes it.

    Raises:
        ValueError: It is malformed.
    """
    scheme, _, rest = database_url.partition("://")
    url = f"{scheme.partition('+')[0]}://{rest}"
    try:
        conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ValueError(f"the database URL is not one of PostgreSQL: {str(error).strip()}") from None
    return url


def connect(url: str) -> Connection:
    """
    Open a connection, each of whose statements is its own transaction until ``BEGIN``.

    A commit is on disk when it returns, and text is Unicode, whatever the server's defaults.
    """
    wanted = {name: value for name, value in _LINK.items() if name not in conninfo.conninfo_to_dict(url)}
    connection = psycopg.connect(url, autocommit=True, client_encoding="UTF8", **wanted)  # type: ignore[arg-type]
    connection.adapters.register_dumper(int, _Number)
    connection.prepared_max = _PREPARED
    connection.execute(_SETTINGS)
    return connection


def cut(connection: Connection) -> None:
    """
    Cut the link of a connection off: whoever waits for an answer of it gets an error at once.

    From any thread; a server that hangs is asked nothing, as it would be by a cancellation.
    """
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as link:
        link.shutdown(socket.SHUT_RDWR)


def send_all(connection: Connection) -> None:
    """
    Send what is still held back of the statements of a pipeline.

    psycopg tries it once and then waits for answers, and a server that waits for the rest gives none.
    """
    if connection.pgconn.flush():
        connection.wait(_sending(connection.pgconn))


def _sending(pgconn: PGconn) -> PQGen[None]:
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()


def refusal(error: Exception) -> TocsinError | None:
    """Return what a caller is told, or None when the error is a bug of ours."""
    if isinstance(error, errors.DiskFull):
        return StorageFull("the disk of the database is full", retry_after_s=10.0)
    if isinstance(error, errors.LockNotAvailable | errors.QueryCanceled | errors.TransactionRollback):
        return Overloaded("other transactions hold the database", retry_after_s=1.0)
    if isinstance(error, psycopg.OperationalError | errors.ReadOnlySqlTransaction):
        return Overloaded("the database can't be reached now", retry_after_s=2.0)
    if isinstance(error, errors.UntranslatableCharacter):
        return Invalid("a text holds a character that the encoding of the database has none for; only UTF8 has all")
    if isinstance(error, psycopg.DataError) and _NUL in str(error):
        return Invalid("a text holds a NUL character")
    return None


class Patience:
    """How long to leave a server alone that did not answer: twice as long each time, at most a second."""

    def __init__(self) -> None:
        self._delay_s = 0.0
        self._until = 0.0

    def check(self) -> None:
        """Raise an error at once where it is too early to ask again."""
        if time.monotonic() < self._until:
            raise psycopg.OperationalError("the database did not answer a moment ago")

    def failed(self) -> None:
        """Wait for longer."""
        self._delay_s = min(max(self._delay_s * 2, _RETRY_FIRST_S), _RETRY_MOST_S)
        self._until = time.monotonic() + self._delay_s

    def succeeded(self) -> None:
        """Forget what was."""
        self._delay_s = self._until = 0.0
