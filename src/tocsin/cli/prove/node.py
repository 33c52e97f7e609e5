"""
A real ``tocsin serve`` in a process of its own, to be killed and started again.

It keeps its port over restarts, as a supervised service does.
"""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.route import Address, Route

START_S = 60.0
STOP_S = 35.0
# Linux takes those of clients from 32768 on.
_SERVERS_PORTS = 20_000, 32_000


class Node:
    """
    Starts, kills and restarts one server; methods belong to one event loop.

    Args:
        name: Of its log, which goes into the folder.
        environment: Its settings, added to this process's environment without
            the settings of the caller's own server.

    Attributes:
        environment: In force at the next start.
        prefix: Words before the command, as in ``ip netns exec NAME``; in force at the next start.
        address: Where it listens; in force at the next start.
        kills: How often it was killed, by this class or by itself.
    """

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.address = Address("127.0.0.1", free_port())
        self.prefix: tuple[str, ...] = ()
        self.environment = dict(environment)
        self.kills = 0
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Return whether the process lives."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """
        Start the process and return when it is ready.

        Raises:
            RuntimeError: It ended, or was not ready within START_S.
        """
        await self.launch()
        try:
            async with asyncio.timeout(START_S):
                await self.ready()
        except TimeoutError:
            raise RuntimeError(f"{self.name} was not ready after {START_S:.0f} s: {self._last_words()}") from None

    async def launch(self) -> None:
        """Start the process and do not wait for it."""
        own = {"TOCSIN_HOST": self.address.host, "TOCSIN_PORT": str(self.address.port), "TOCSIN_LOG_LEVEL": "warning"}
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.prefix,
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

    async def ready(self) -> None:
        """
        Return when it says that it is ready.

        Raises:
            RuntimeError: The process ended.
        """
        assert self._process is not None
        while not await self.is_ready():
            if self._process.returncode is not None:
                raise RuntimeError(f"{self.name} ended with {self._process.returncode}: {self._last_words()}")
            await asyncio.sleep(0.05)

    async def is_ready(self) -> bool:
        """Return whether ``/readyz`` is answered 200."""
        http = Http(Route([self.address], 0))
        try:
            return (await http.request("GET", "/readyz")).status == 200
        except HttpError:
            return False
        finally:
            http.close()

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
        """End it as a supervisor does, with SIGTERM, after STOP_S with SIGKILL; return its exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        return await self._process.wait()

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def _foreign_environment() -> dict[str, str]:
    """Return this process's environment without the settings of the caller's own server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}


def free_port() -> int:
    """Return a port that was free just now, and is none that the kernel gives to somebody's outgoing connection."""
    while True:
        port = random.randint(*_SERVERS_PORTS)  # noqa: S311 a port is no secret
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
