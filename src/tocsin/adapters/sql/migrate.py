"""
Brings a database to the schema of this release.

Forward only, numbered steps in ``migrations/versions``. Which tables there are
is said in ``schema``.

Who made the tables is told by the table of the revision: a row in it, and the
steps here are at work; none, and the migrations of a host are (Flask-Migrate),
which alone change them then.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, bindparam, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from tocsin.adapters.sql.schema import VERSION_TABLE, metadata, version

_LOCK_TIMEOUT_S = 60
# Of no meaning but ours.
_ADVISORY_LOCK = 0x746F6373696E


class SchemaError(Exception):
    """The tables are not what this release works with; the message is one line."""


class SchemaTooNew(SchemaError):
    """The database was written by a later release of tocsin than this one."""


class SchemaOfHost(SchemaError):
    """A host's migrations made the tables, and not as this release needs them."""


def latest() -> str:
    """Return the revision that this release works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def upgrade(path: str, revision: str = "head") -> str:
    """
    Bring a SQLite file to the latest revision, or to an earlier one, and return the latest.

    All steps run in one transaction: a crash leaves the old schema, and of
    several processes that start at once one upgrades while the others wait.
    Tables that a host's migrations made are looked at and left alone.

    Raises:
        SchemaTooNew: A later release has been at work; nothing was changed.
        SchemaOfHost: The host's migrations are behind; nothing was changed.
    """
    engine = create_engine(
        URL.create("sqlite", database=path), poolclass=NullPool, connect_args={"timeout": _LOCK_TIMEOUT_S}
    )
    event.listen(engine, "connect", _leave_transactions_to_us)
    if revision == "head":
        # Without the lock, for which a look would wait as long as somebody writes.
        with engine.connect() as connection, suppress(SchemaOfHost):
            connection.exec_driver_sql("BEGIN")
            if revision_of(connection, path) == latest():
                return latest()
    event.listen(engine, "begin", _lock)
    with engine.begin() as connection:
        _follow_rename(connection)
        _upgrade(connection, path, revision)
    return latest()


def upgrade_postgres(url: str, revision: str = "head") -> str:
    """
    Do so with a database of PostgreSQL.

    Several nodes may start at once: one upgrades while the others wait for a minute.

    Raises:
        SchemaError: As ``upgrade`` does.
        SQLAlchemyError: The database can't be reached, or the user may not make tables.
    """
    with _postgres_engine(url).begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_S}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        if _upgrade(connection, make_url(url).render_as_string(), revision):
            _sort_by_bytes(connection)
    return latest()


def check(path: str) -> None:
    """
    Look whether the tables of a SQLite file are those of this release; nothing is changed or made.

    Raises:
        SchemaError: They are not.
        SQLAlchemyError: There is no such file, or it can't be read.
    """
    source = f"{Path(path).absolute().as_uri()}?mode=ro"
    _check(create_engine("sqlite://", creator=lambda: sqlite3.connect(source, uri=True), poolclass=NullPool), path)


def check_postgres(url: str) -> None:
    """Do so with a database of PostgreSQL."""
    _check(_postgres_engine(url), make_url(url).render_as_string())


def _check(engine: Engine, where: str) -> None:
    with engine.connect() as connection:
        revision = revision_of(connection, where)
    if revision is None:
        raise SchemaError(f"{where} has no tables of tocsin yet")
    if revision != latest():
        raise SchemaError(f"the tables in {where} are at {revision}, this release works with {latest()}")


def _postgres_engine(url: str) -> Engine:
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool, connect_args={"client_encoding": "UTF8"}
    )


def revision_of(connection: Connection, where: str) -> str | None:
    """
    Return the revision of the tables, None where there are none; nothing is changed.

    Raises:
        SchemaOfHost: A host's migrations made them, and are behind.
    """
    if _is_of_host(connection):
        _check_shape(connection, where)
        return latest()
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.execute(select(version)).scalar()
    return revision


def _upgrade(connection: Connection, where: str, revision: str) -> bool:
    """Bring the tables up to date, or look at a host's; return whether they are ours."""
    if _is_of_host(connection):
        _check_shape(connection, where)
        return False
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise SchemaTooNew(f"{where} was written by a later release of tocsin ({error})") from error
    return True


def _sort_by_bytes(connection: Connection) -> None:
    """Let text compare as it does in Python and on SQLite, whatever the language of the database."""
    others = connection.execute(
        text(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' AND table_name IN :ours"
        ).bindparams(bindparam("ours", [*metadata.tables], expanding=True))
    )
    for table, column in others.all():
        connection.execute(text(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE TEXT COLLATE "C"'))


def _follow_rename(connection: Connection) -> None:
    # Before 0002 no table had the prefix, the one with the revision neither.
    tables = inspect(connection)
    if not (tables.has_table("alembic_version") and tables.has_table("life") and tables.has_table("stream_event")):
        return
    if connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0001"]:
        connection.execute(text(f"ALTER TABLE alembic_version RENAME TO {VERSION_TABLE}"))


def _is_of_host(connection: Connection) -> bool:
    there = set(inspect(connection).get_table_names()) & metadata.tables.keys()
    if VERSION_TABLE in there and connection.execute(select(version)).first() is not None:
        return False
    return bool(there)


def _check_shape(connection: Connection, path: str) -> None:
    context = MigrationContext.configure(connection, opts={"include_name": _is_ours, "compare_type": True})
    for difference in compare_metadata(context, metadata):
        kind, *what = difference if isinstance(difference, tuple) else difference[0]
        # What a host or a later release has added besides disturbs nothing.
        if not kind.startswith("remove_"):
            raise SchemaOfHost(
                f"the tables of tocsin that the host's migrations made in {path} are of another release "
                f"({kind} {_name(kind, what)}): run `flask db migrate` and `flask db upgrade`"
            )


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in metadata.tables


def _name(kind: str, what: Sequence[Any]) -> str:
    if kind.startswith("modify_"):
        return f"{what[1]}.{what[2]}"
    return f"{what[1]}.{what[2].name}" if kind == "add_column" else str(what[0].name)


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
