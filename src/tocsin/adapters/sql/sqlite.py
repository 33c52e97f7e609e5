"""
The store on SQLite: the default, for one process and one machine.

Several processes may open the same file (``tocsin send`` while the server
runs): each waits for the other's transaction, and learns of its writes by
``changed_elsewhere``.
"""

from collections.abc import Callable
from pathlib import Path

from tocsin.adapters.sql.connection import open_reader, open_writer, refusal
from tocsin.adapters.sql.forked import refuse_inherited
from tocsin.adapters.sql.migrate import check, upgrade
from tocsin.adapters.sql.readers import OpenReader
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.store import SqlStore
from tocsin.adapters.sql.writing import SqliteWriting, Writing
from tocsin.application.texts import Lang
from tocsin.domain.errors import TocsinError
from tocsin.domain.timestamp import now_ms


class SqliteStore(SqlStore):
    """
    Implements ``Store`` on one file.

    Args:
        path: The database file; made with its schema when missing.
        clock: As ``SqlStore`` has it.
        lang: As ``SqlStore`` has it.
    """

    def __init__(self, path: str, *, clock: Callable[[], int] = now_ms, lang: Lang = "en") -> None:
        super().__init__(clock=clock, lang=lang)
        self._path = path

    def _check(self) -> None:
        check(self._path)

    def _open_writer(self) -> Writing:
        # Readers open it later, wherever the process works by then.
        self._path = str(Path(self._path).absolute())
        connection = open_writer(self._path)
        try:
            upgrade(self._path)
            connection.execute(SQL.epoch, {}).fetchall()  # which takes the lock that is looked for
            refuse_inherited(self._path)
        except BaseException:
            connection.close()
            raise
        return SqliteWriting(connection, self._path)

    def _open_reader(self) -> OpenReader:
        return open_reader(self._path)

    def _refusal(self, error: Exception) -> TocsinError | None:
        return refusal(error)
