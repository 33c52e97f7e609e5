"""The database and the bus under a stack: servers of the bench's own, gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tocsin.cli.prove.postgres import Postgres
from tocsin.cli.prove.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Part:
    """One of them, running, and the process that its others come from."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return CPU seconds that it has used, ended processes included; in the kernel's ticks of 10 ms."""
        return _cpu_s(self.pid)


def _cpu_s(pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        # proc_pid_stat(5): from utime on, those of children that have been waited for included.
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:15]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK") + sum(_cpu_s(int(child)) for child in children)
    return 0.0


@contextmanager
def postgres() -> Iterator[Part]:
    """Start a PostgreSQL as its defaults have it, ``fsync`` and all; yield it."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    folder.chmod(0o755)
    server = Postgres(folder)
    server.start()
    try:
        yield Part(server.url, server.pid)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def valkey(folder: Path) -> Iterator[Part]:
    """Start a Valkey; yield it."""
    server = Valkey(folder)
    server.start()
    try:
        yield Part(server.url, server.pid)
    finally:
        server.kill()
