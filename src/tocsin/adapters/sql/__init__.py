"""
Stores in SQL databases: one schema, a store per database.

``open_store`` picks the store of a database URL.
"""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tocsin.adapters.sql.migrate import upgrade, upgrade_postgres
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.adapters.sql.store import SqlStore
from tocsin.application.texts import Lang


def open_store(database_url: str, lang: Lang = "en") -> SqlStore:
    """
    Return the store of a database URL, not started yet.

    Raises:
        ValueError: The URL is malformed, names a database that is not supported, or one whose driver is missing.
    """
    if not _is_postgres(database_url):
        return SqliteStore(sqlite_path(database_url), lang=lang)
    try:
        from tocsin.adapters.sql.postgres import PostgresStore  # noqa: PLC0415 an extra
    except ImportError:
        raise ValueError("PostgreSQL needs its driver: pip install 'tocsin[postgresql]'") from None
    return PostgresStore(database_url, lang=lang)


def upgrade_schema(database_url: str) -> str:
    """
    Bring the tables to the latest revision and return it.

    Raises:
        ValueError: See ``open_store``.
        SchemaError: The tables are of a later release, or a host's.
    """
    if _is_postgres(database_url):
        open_store(database_url)
        return upgrade_postgres(database_url)
    return upgrade(sqlite_path(database_url))


def _is_postgres(database_url: str) -> bool:
    return database_url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://"))


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
        raise ValueError(
            f"the database '{url.get_backend_name()}' is not supported; use sqlite:///FILE or postgresql://…"
        )
    if url.database in (None, "", ":memory:"):
        raise ValueError("the database must be a file, like sqlite:///tocsin.db: what is in memory is lost")
    return str(url.database)
