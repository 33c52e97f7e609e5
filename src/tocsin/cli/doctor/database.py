"""The database: whether it is there, what it is like, and whether what is committed is on disk. Nothing is written."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tocsin.adapters.sql import sqlite_path
from tocsin.adapters.sql.migrate import SchemaError, latest, revision_of
from tocsin.adapters.sql.readers import THREADS
from tocsin.cli.doctor import clock, machine
from tocsin.cli.doctor.finding import Finding, Findings, first_line, ok, problem, warning
from tocsin.settings import Settings

AREA = "database"
# A look through a bigger file would take longer than one waits for.
_SMALL_BYTES = 256 * 2**20
_LEAST_SQLITE = (3, 35, 0)
_LEAST_POSTGRES = 13
_WAL_BYTES = 1024 * 2**20
# One connection writes.
_CONNECTIONS = THREADS + 1


def look(settings: Settings) -> Findings:
    """Look at the database of the settings."""
    if settings.database_url.startswith("sqlite"):
        try:
            yield from _sqlite(Path(sqlite_path(settings.database_url)).absolute())
        except PermissionError as error:
            yield problem(
                AREA, f"{error.filename} can't be seen by this user", "look as the user of the server: sudo -u"
            )
    else:
        yield from _postgres(settings)


def _schema(connection: Connection, where: str) -> Finding:
    try:
        revision = revision_of(connection, where)
    except SchemaError as error:
        return problem(AREA, first_line(error), "run the host's migrations")
    wanted = latest()
    if revision is None:
        return warning(AREA, "there are no tables yet", "`tocsin db upgrade`, or the first start, makes them")
    if revision < wanted:
        return warning(
            AREA,
            f"the tables are at {revision}, this release works with {wanted}",
            "`tocsin db upgrade`, or the next start",
        )
    if revision > wanted:
        return problem(
            AREA, f"the tables are at {revision}, of a later release than this ({wanted})", "install that release"
        )
    return ok(AREA, f"the tables are up to date ({revision})")


# SQLite


def _sqlite(path: Path) -> Findings:
    if sqlite3.sqlite_version_info < _LEAST_SQLITE:
        yield problem(AREA, f"SQLite {sqlite3.sqlite_version} is too old", "use a Python with SQLite 3.35 or newer")
    folder = path.parent
    if not folder.is_dir():
        yield problem(AREA, f"there is no folder {folder}", "make it, or correct TOCSIN_DATABASE_URL")
        return
    yield _writable(path)
    yield machine.disk(folder, AREA)
    if (kind := machine.network_file_system(folder.resolve())) is not None:
        yield problem(
            AREA,
            f"{path} is on a network file system ({kind}), whose locks SQLite can't trust",
            "put the file on a disk of this machine, or use PostgreSQL",
        )
    if not path.exists():
        yield ok(AREA, f"there is no {path} yet: the first start makes it")
        return
    try:
        yield from _open_sqlite(path)
    except (sqlite3.Error, SQLAlchemyError) as error:
        yield problem(AREA, f"{path} can't be read: {first_line(error)}", "restore a backup, if it is damaged")


def _writable(path: Path) -> Finding:
    # A journal is made beside it.
    locked = [one for one in (path, path.parent) if one.exists() and not os.access(one, os.W_OK)]
    if locked:
        return problem(
            AREA, f"{locked[0]} can't be written by this user", "give it to the user whom the server runs as"
        )
    return ok(AREA, f"{path} can be written")


def _open_sqlite(path: Path) -> Findings:
    wal = path.with_name(f"{path.name}-wal")
    is_quiet = not wal.exists()

    def connect() -> sqlite3.Connection:
        # Without a journal beside it, an empty one even, nobody is at it: then not even the index of one is made.
        mode = "mode=ro&immutable=1" if is_quiet else "mode=ro"
        return sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=5, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    with engine.connect() as connection:
        yield _schema(connection, str(path))
        yield _journal(path)
        if path.stat().st_size <= _SMALL_BYTES:
            said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
            if said == "ok":
                yield ok(AREA, "SQLite finds no damage")
            else:
                yield problem(AREA, f"the file is damaged: {said}", "restore a backup")
    if not is_quiet and wal.stat().st_size > _WAL_BYTES:
        yield warning(
            AREA,
            f"the journal {wal} has {wal.stat().st_size:,} bytes",
            "end what reads the file for so long, as a shell of sqlite3 may",
        )


def _journal(path: Path) -> Finding:
    # Of a file that is taken for immutable SQLite tells no WAL (https://sqlite.org/fileformat.html, 1.3.3).
    with path.open("rb") as file:
        if file.read(20)[18:] == b"\2\2":
            return ok(AREA, "journal WAL; each commit is on disk before it is answered (synchronous FULL)")
    return warning(AREA, "the journal is no WAL", "the next start of the server sets it; let nobody change it")


# PostgreSQL


def _postgres(settings: Settings) -> Findings:
    try:
        from tocsin.adapters.sql.postgres_connection import server_of  # noqa: PLC0415 an extra
    except ImportError:
        yield problem(AREA, "the driver of PostgreSQL is missing", "pip install 'tocsin[postgresql]'")
        return
    url = make_url(server_of(settings.database_url)).set(drivername="postgresql+psycopg")
    where = url.render_as_string()  # without the password
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5, "client_encoding": "UTF8"})
        with engine.connect() as connection:
            # The first of the transaction: it is kept from every write.
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            yield ok(AREA, f"{where} answers")
            yield from _server(connection, settings)
            yield _schema(connection, where)
    except (SQLAlchemyError, ValueError) as error:
        text = first_line(error).replace(str(url.password or "\0"), "***")
        yield problem(AREA, f"{where} can't be used: {text}", "start it, or correct TOCSIN_DATABASE_URL")


def _server(connection: Connection, settings: Settings) -> Findings:
    def setting(name: str) -> str:
        return str(connection.exec_driver_sql(f"SHOW {name}").scalar())

    version = int(setting("server_version_num")) // 10_000
    if version < _LEAST_POSTGRES:
        yield problem(AREA, f"PostgreSQL {version} is too old", f"use {_LEAST_POSTGRES} or newer")
    else:
        yield ok(AREA, f"PostgreSQL {setting('server_version')}")
    yield from _durable(setting)
    if setting("server_encoding") != "UTF8":
        yield problem(AREA, f"its encoding is {setting('server_encoding')}", "make a database with ENCODING 'UTF8'")
    if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
        yield problem(AREA, "it is a replica, which can't be written", "name the primary in TOCSIN_DATABASE_URL")
    if not connection.exec_driver_sql("SELECT has_schema_privilege(current_schema(), 'CREATE')").scalar():
        yield problem(AREA, "this user may not make tables", "GRANT CREATE ON SCHEMA … TO this user, for migrations")
    yield _room(setting, settings)
    asked_s = time.time()
    now: Any = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar()
    yield clock.compare("PostgreSQL", float(now), asked_s)


def _durable(setting: Any) -> Findings:
    off = [name for name in ("fsync", "full_page_writes") if setting(name) != "on"]
    for name in off:
        yield problem(
            AREA,
            f"{name} is off: a power cut loses what was confirmed, or the whole database",
            f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()",
        )
    commit = setting("synchronous_commit")
    if commit == "off":
        yield warning(
            AREA,
            "synchronous_commit is off: a power cut loses what your code has committed (Tocsin sets it on for itself)",
            "ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf()",
        )
    elif not off:
        yield ok(AREA, f"each commit is on disk before it is answered (fsync on, synchronous_commit {commit})")


def _room(setting: Any, settings: Settings) -> Finding:
    most = int(setting("max_connections")) - int(setting("superuser_reserved_connections"))
    wanted = settings.workers * _CONNECTIONS
    text = f"{settings.workers} workers take {wanted} of {most} connections, as do those of every other node"
    if wanted > most:
        return problem(AREA, text, f"max_connections = {wanted + 10} or more, or fewer workers")
    if wanted * 2 > most:
        return warning(AREA, text, "raise max_connections before you add a node, or restart nodes one by one")
    return ok(AREA, text)
