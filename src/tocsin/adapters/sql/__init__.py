"""
Stores in SQL databases: one schema, a store per database.

``open_store`` picks the store of a database URL.
"""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.application.texts import Lang


def open_store(database_url: str, lang: Lang = "en") -> SqliteStore:
    """
    Return the store of a database URL, not started yet.

    Raises:
        ValueError: The URL is malformed or names a database that is not supported.
    """
    return SqliteStore(sqlite_path(database_url), lang=lang)


def sqlite_path(database_url: str) -> str:
    """
    Return the file of ``sqlite:///relative`` or ``sqlite:////absolute``.

    Raises:
        ValueError: See ``open_store``.
    """
    try:
        url: URL = make_url(database_url)
    except ArgumentError:
        raise ValueError("the database URL must look like sqlite:///tocsin.db") from None
    if url.get_backend_name() != "sqlite":
        raise ValueError(f"the database '{url.get_backend_name()}' is not supported; use sqlite:///FILE")
    if url.database in (None, "", ":memory:"):
        raise ValueError("the database must be a file, like sqlite:///tocsin.db: what is in memory is lost")
    return str(url.database)
