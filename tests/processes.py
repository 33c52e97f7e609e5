"""Processes of the product for tests: the server as an operator starts it, and a writer beside it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex

from tests.conftest import SECRET

START_S = 60.0
STOP_S = 20.0

# Publishes one event to user 7 for each line of its input, and answers with its seq once it is committed.
_WRITER = """
import asyncio, sys
from tocsin.bootstrap import Core
from tocsin.settings import Settings

async def main():
    core = Core(Settings(_env_file=None))
    await core.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        (event,) = await core.activity.publish("/orders", "order_updated", ["7"], {"order_id": int(line)})
        print(event.seq, flush=True)
    await core.stop()

asyncio.run(main())
"""


def environment(database: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process of the product, free of what the developer has set."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}
    return {
        **bare,
        "TOCSIN_DATABASE_URL": f"sqlite:///{database}",
        "TOCSIN_JWT_SECRET": SECRET,
        "TOCSIN_DRAIN_S": "0",
        **more,
    }


class Process:
    """
    A running process with lines on its standard output.

    Attributes:
        errors: The file that holds what it wrote to standard error.
    """

    def __init__(self, process: asyncio.subprocess.Process, errors: Path) -> None:
        self._process = process
        self.errors = errors

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self) -> str:
        """Return the next line of its output; what it wrote to standard error when it has ended."""
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S):
            line = await self._process.stdout.readline()
        assert line, self.errors.read_text()
        return line.decode().rstrip()

    async def ask(self, line: str) -> str:
        """Write a line to its input and return the next of its output."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self.line()

    async def stop(self, signal_: int = signal.SIGTERM) -> int:
        """End it by a signal; return its status."""
        if self._process.returncode is None:
            self._process.send_signal(signal_)
        async with asyncio.timeout(STOP_S):
            return await self._process.wait()


@asynccontextmanager
async def running(folder: Path, *command: str, env: dict[str, str]) -> AsyncIterator[Process]:
    """Run a command until the end of the block."""
    errors = folder / f"{token_hex(4)}.err"
    with errors.open("wb") as file:
        started = await asyncio.create_subprocess_exec(
            *command, env=env, cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=file
        )
    process = Process(started, errors)
    try:
        yield process
    finally:
        if started.returncode is None:
            assert started.stdin is not None
            started.stdin.close()
            started.terminate()
            try:
                await asyncio.wait_for(started.wait(), STOP_S)
            except TimeoutError:
                started.kill()
                await started.wait()
        # What asyncio opened for the pipes goes with the transport.
        started._transport.close()


@asynccontextmanager
async def serving(folder: Path, env: dict[str, str], port: int = 0) -> AsyncIterator[tuple[str, Process]]:
    """Run ``tocsin serve``, on a free port unless one is named; yield its URL and its process."""
    tocsin = (sys.executable, "-c", "from tocsin.cli import main; main()")
    async with running(folder, *tocsin, "serve", "--port", str(port), env=env) as process:
        yield (await process.line()).rpartition(" ")[2], process


@asynccontextmanager
async def writing(folder: Path, env: dict[str, str]) -> AsyncIterator[Process]:
    """Run a process that publishes an event for each line it is asked."""
    async with running(folder, sys.executable, "-c", _WRITER, env=env) as process:
        yield process
