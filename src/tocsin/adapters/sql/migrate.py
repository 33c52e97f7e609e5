"""
Brings a database to the schema of this release.

Forward only, numbered steps in ``migrations/versions``. Which tables there are
is said in ``schema``.
"""

import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from tocsin.adapters.sql.schema import VERSION_TABLE

_LOCK_TIMEOUT_S = 60.0


class SchemaTooNew(Exception):
    """The database was written by a later release of tocsin than this one."""


def latest() -> str:
    """Return the revision that this release works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def upgrade(path: str) -> str:
    """
    Bring a SQLite file to the latest revision and return it.

    All steps run in one transaction: a crash leaves the old schema, and of
    several processes that start at once one upgrades while the others wait.

    Raises:
        SchemaTooNew: A later release has been at work; nothing was changed.
    """
    engine = create_engine(
        URL.create("sqlite", database=path), poolclass=NullPool, connect_args={"timeout": _LOCK_TIMEOUT_S}
    )
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _lock)
    config = _config()
    with engine.begin() as connection:
        _follow_rename(connection)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SchemaTooNew(f"{path} was written by a later release of tocsin ({error})") from error
    return latest()


def _follow_rename(connection: Connection) -> None:
    # Before 0002 no table had the prefix, the one with the revision neither.
    tables = inspect(connection)
    if not (tables.has_table("alembic_version") and tables.has_table("life") and tables.has_table("stream_event")):
        return
    if connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0001"]:
        connection.execute(text(f"ALTER TABLE alembic_version RENAME TO {VERSION_TABLE}"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: Any) -> None:
    # sqlite3 would commit before DDL, and half a migration would stay.
    connection.isolation_level = None


def _lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN EXCLUSIVE")
