"""A connection to PostgreSQL that reads, as queries written for SQLite see it."""

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus

from tocsin.adapters.sql.dialects import for_postgres, pair
from tocsin.adapters.sql.postgres_connection import Patience, connect
from tocsin.adapters.sql.transaction import Found, Values

# What ``connection.snapshot`` says.
pair("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
pair("ROLLBACK", "ROLLBACK")


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

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.close()
