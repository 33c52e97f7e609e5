"""A connection to PostgreSQL that reads, as queries written for SQLite see it."""

from collections.abc import Sequence

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

from tocsin.adapters.sql.dialects import for_postgres, pair
from tocsin.adapters.sql.postgres_connection import Patience, connect, cut
from tocsin.adapters.sql.transaction import Found, Reader, Values
from tocsin.domain.stream import Head, StreamKey, ground_of

# What ``connection.snapshot`` says, and ``heads`` below.
pair("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
pair("ROLLBACK", "ROLLBACK")
_HEADS = pair(
    "heads",
    "SELECT coalesce(seq, 0), coalesce(pruned, 0), coalesce(acked, 0), unread, seq IS NULL"
    " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked (user_id, namespace, place)"
    " LEFT JOIN tocsin_stream USING (user_id, namespace) ORDER BY place",
)


class PostgresReader:
    """A ``Reader`` that connects when it is first used, and again after its connection broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._patience = Patience()

    def execute(self, statement: str, values: Values = (), /) -> Found:
        """Run a query."""
        text = for_postgres(statement)
        connection = self._connection
        if connection is None or self._is_broken():
            return self._connect().execute(text, values)
        # It may have broken while nobody used it; what a snapshot has seen is gone with it.
        may_repeat = connection.info.transaction_status is TransactionStatus.IDLE
        try:
            return connection.execute(text, values)
        except psycopg.OperationalError:
            if not (may_repeat and self._is_broken()):
                raise
            return self._connect().execute(text, values)

    def _is_broken(self) -> bool:
        return self._connection is not None and self._connection.closed

    def _connect(self) -> Connection:
        self._patience.check()
        try:
            self._connection = connect(self._url)
        except psycopg.Error:
            self._patience.failed()
            raise
        self._patience.succeeded()
        return self._connection

    def interrupt(self) -> None:
        """End a query that another thread waits for, with an error."""
        if self._connection is not None:
            cut(self._connection)

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.close()


def heads(connection: Reader, keys: Sequence[StreamKey]) -> list[Head]:
    """Return the heads of one instant, in the order asked."""
    found = _heads(connection, keys)
    unwritten = [place for place, (_, is_unwritten) in enumerate(found) if is_unwritten]
    grounds = _heads(connection, [ground_of(keys[place]) for place in unwritten]) if unwritten else []
    of_unwritten = dict(zip(unwritten, grounds, strict=True))
    return [of_unwritten.get(place, one)[0] for place, one in enumerate(found)]


def _heads(connection: Reader, keys: Sequence[StreamKey]) -> list[tuple[Head, bool]]:
    users, namespaces = [key.user_id for key in keys], [key.namespace for key in keys]
    return [(Head(*row[:-1]), row[-1]) for row in connection.execute(_HEADS, (users, namespaces))]
