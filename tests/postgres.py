"""A real PostgreSQL server of the tests' own, or databases of the one that TEST_POSTGRES_URL names."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy.engine import make_url

from tocsin.adapters.sql import schema
from tocsin.cli.prove.postgres import Postgres as Server


class Databases:
    """
    Databases of one server, each for one test.

    Attributes:
        url: Of the one that is always there.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database; it is gone afterwards."""
        name = f"t_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url_of(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


class Postgres(Databases):
    """A server on a port of its own, which stays the same over restarts."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._server = Server(folder, **settings)
        super().__init__(self._server.url)
        self.start, self.stop = self._server.start, self._server.stop
        self.pause, self.go_on = self._server.pause, self._server.go_on


@contextmanager
def postgres(**settings: str) -> Iterator[Postgres]:
    """Start a server; it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
    folder.chmod(0o755)
    server = Postgres(folder, **settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def databases() -> Iterator[Databases]:
    """Give the server that is named, or start one that need not survive the machine."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield Databases(url)
    else:
        with postgres(fsync="off") as server:
            yield server


def empty(url: str) -> None:
    """Leave nothing in the tables; to make them again for each test would take longer than the test."""
    tables = [name for name in schema.metadata.tables if name != schema.VERSION_TABLE]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(";".join(f"DELETE FROM {name}" for name in tables))
