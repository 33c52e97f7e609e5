"""
The store on PostgreSQL: for several nodes.

Each node has one connection that writes, with group commit, and a few that
read. Nodes tell one another by the bus; ``changed_elsewhere`` is for what the
bus has lost.
"""

from collections.abc import Callable, Sequence

import psycopg

from tocsin.adapters.sql.migrate import check_postgres, upgrade_postgres
from tocsin.adapters.sql.postgres_connection import refusal, server_of
from tocsin.adapters.sql.postgres_reader import PostgresReader, heads
from tocsin.adapters.sql.postgres_writing import PostgresWriting
from tocsin.adapters.sql.readers import OpenReader
from tocsin.adapters.sql.store import SqlStore
from tocsin.adapters.sql.transaction import Reader
from tocsin.adapters.sql.writing import Writing
from tocsin.application.texts import Lang
from tocsin.domain.errors import TocsinError
from tocsin.domain.stream import Head, StreamKey
from tocsin.domain.timestamp import now_ms


class PostgresStore(SqlStore):
    """
    Implements ``Store`` on a server.

    Args:
        url: ``postgresql://user:password@host/database``, as libpq takes it.
        clock: As ``SqlStore`` has it.
        lang: As ``SqlStore`` has it.

    Raises:
        ValueError: The URL is malformed.
    """

    def __init__(self, url: str, *, clock: Callable[[], int] = now_ms, lang: Lang = "en") -> None:
        super().__init__(clock=clock, lang=lang)
        self._url = server_of(url)

    def _check(self) -> None:
        check_postgres(self._url)

    def _open_writer(self) -> Writing:
        try:
            upgrade_postgres(self._url)
            return PostgresWriting(self._url)
        except psycopg.Error as error:
            raise ConnectionError(str(error).strip()) from error

    def _open_reader(self) -> OpenReader:
        return PostgresReader(self._url)

    def _read_heads(self, connection: Reader, keys: Sequence[StreamKey]) -> list[Head]:
        """Read all in one statement: a trip for each of thousands would take a second."""
        return heads(connection, keys)

    def _refusal(self, error: Exception) -> TocsinError | None:
        return refusal(error)
