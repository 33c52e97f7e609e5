"""The database and the bus under a stack: servers of the bench's own, gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.cli.prove.postgres import Postgres
from tocsin.cli.prove.valkey import Valkey


@contextmanager
def postgres() -> Iterator[str]:
    """Start a PostgreSQL as its defaults have it, ``fsync`` and all; give its URL."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    folder.chmod(0o755)
    server = Postgres(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """Start a Valkey; give its URL."""
    server = Valkey(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.kill()
