"""
A real ``tocsin serve`` in a process of its own, to be killed and started again.

It keeps its port and its database over restarts, as a supervised service does.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from tocsin.cli.prove.http import Http, HttpError

START_S = 60.0
STOP_S = 35.0


class ServerProcess:
    """
    Starts, kills and restarts the server; methods belong to one event loop.

    Args:
        folder: Where its database and its log go.
        secret: Secret of the tokens that it accepts.
        environment: Added to this process's own.

    Attributes:
        kills: How often it was killed, by this class or by itself.
    """

    def __init__(self, folder: Path, secret: str, environment: Mapping[str, str] | None = None) -> None:
        self.host = "127.0.0.1"
        self.port = _free_port()
        self.kills = 0
        self.environment = dict(environment or {})
        self._folder = folder
        self._secret = secret
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """
        Start the process and return when it answers.

        Raises:
            RuntimeError: It ended, or did not answer within START_S.
        """
        own = {
            "TOCSIN_DATABASE_URL": f"sqlite:///{self._folder.resolve() / 'prove.db'}",
            "TOCSIN_HOST": self.host,
            "TOCSIN_PORT": str(self.port),
            "TOCSIN_JWT_SECRET": self._secret,
            "TOCSIN_LOG_LEVEL": "warning",
        }
        with (self._folder / "server.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "from tocsin.cli import main; main()",
                "serve",
                env={**_foreign_environment(), **own, **self.environment},
                # Not the caller's: a .env there must not set up this server.
                cwd=self._folder,
                stdout=output,
                stderr=output,
            )
        async with asyncio.timeout(START_S):
            while not await self._is_ready():
                if self._process.returncode is not None:
                    log = (self._folder / "server.log").read_text(errors="replace")
                    raise RuntimeError(f"the server ended with {self._process.returncode}: {log[-2000:]}")
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill it with SIGKILL: no handler runs, nothing is flushed."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self.died()

    async def died(self) -> None:
        """Return when it is dead, whoever killed it."""
        assert self._process is not None
        if await self._process.wait() == -signal.SIGKILL:
            self.kills += 1

    async def stop(self) -> int:
        """End it as a supervisor does, with SIGTERM; return its exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        return await self._process.wait()

    async def _is_ready(self) -> bool:
        http = Http(self.host, self.port)
        try:
            return (await http.request("GET", "/readyz")).status == 200
        except HttpError:
            return False
        finally:
            http.close()


def _foreign_environment() -> dict[str, str]:
    """Return this process's environment without the settings of the caller's own server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
