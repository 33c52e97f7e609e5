"""
The generator speaks no TLS: ``python -m bench.tls_relay PORT SERVER_PORT CERTIFICATE`` does it for it.

Takes plain connections on PORT, several of it at a time if need be, and opens a
TLS connection to the server for each. Ends with its standard input.
"""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from bench.servers import AVAILABLE, HERE, pinned

START_S = 20


class _Half(asyncio.Protocol):
    """One side of a relayed connection; what comes before the other side is there waits for it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        if self.other is not None and self.other.early:
            self.write(b"".join(self.other.early))

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.write(data)
        else:
            self.early.append(data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 the loop's signature
        if self.other is not None and self.other.transport is not None:
            self.other.transport.abort()


class _Taken(_Half):
    """A connection of the generator."""

    def __init__(self, port: int, trusting: ssl.SSLContext) -> None:
        super().__init__()
        self._port, self._trusting = port, trusting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        self.other = far = _Half()
        far.other = self
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: far, "127.0.0.1", self._port, ssl=self._trusting, server_hostname="localhost"
            )
        except OSError:
            assert self.transport is not None
            self.transport.abort()


async def _relay(port: int, server_port: int, certificate: str) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Taken(server_port, trusting), "127.0.0.1", port, reuse_port=True, backlog=2_048)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def relays(count: int, port: int, server_port: int, certificate: Path) -> Iterator[None]:
    """Run so many on one port, on all cores."""
    command = [sys.executable, "-m", "bench.tls_relay", str(port), str(server_port), str(certificate)]
    with ExitStack() as started:
        for _ in range(count):
            with pinned(*AVAILABLE):
                relay = subprocess.Popen(
                    command, cwd=HERE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            started.callback(relay.wait, START_S)
            started.callback(relay.kill)
            assert relay.stdout is not None
            if relay.stdout.readline() != "ready\n":
                raise RuntimeError("a relay of the bench did not start")
        yield


if __name__ == "__main__":
    uvloop.run(_relay(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
