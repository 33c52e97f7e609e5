"""
The servers under test: how each is started, pinned, watched and stopped.

What they are asked to do is in ``rounds``; their programs are in ``peers/``.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "bench"
NODE_PEER = HERE / "peers" / "node"
START_DEADLINE_S = 60.0
AVAILABLE = sorted(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Peer:
    """
    One server of the table.

    Attributes:
        key: Short name, for the command line and the JSON.
        title: Name in the table and the plot.
        command: How to start it; it listens on ``BENCH_PORT`` of 127.0.0.1.
        max_connections: What it can bear; None: as many as asked for.
        has_triggers: Whether it knows the ``bench:`` events.
        publish_path: REST path that stores and emits one notification, if it has one.
        is_fast: Whether the full number of repetitions takes bearable time.
    """

    key: str
    title: str
    command: tuple[str, ...]
    max_connections: int | None = None
    has_triggers: bool = True
    publish_path: str | None = None
    is_fast: bool = True


def _python(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"bench.peers.{name}")


PEERS = (
    Peer("limit", "C epoll + send()", (str(BUILD / "limit"),)),
    Peer("node", "Node socket.io", ("node", str(NODE_PEER / "server.js"))),
    Peer("python-socketio", "python-socketio", _python("python_socketio"), is_fast=False),
    Peer(
        "guide",
        "Flask-SocketIO threading",
        _python("guide"),
        max_connections=1_000,
        publish_path="/api/notifications",
        is_fast=False,
    ),
    Peer("engine", "Tocsin engine", _python("tocsin_engine")),
    Peer(
        "tocsin",
        "Tocsin, whole product",
        (str(Path(sys.executable).with_name("tocsin")), "serve"),
        has_triggers=False,
        publish_path="/api/notifications",
    ),
)


def missing(peer: Peer) -> str | None:
    """Return why the peer can't run here, or None."""
    if peer.key == "node" and not (shutil.which("node") and shutil.which("npm")):
        return "node and npm are not installed"
    return None


def prepare(peer: Peer) -> None:
    """Install what the peer needs beside the Python packages of requirements/dev.txt."""
    if peer.key != "node":
        return
    installed = NODE_PEER / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (NODE_PEER / "package-lock.json").stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=NODE_PEER, check=True, timeout=300)
        installed.touch()


def cores() -> tuple[int, int]:
    """Return the core of the server and the core of the load; the same one where there is only one."""
    return AVAILABLE[0], AVAILABLE[-1]


@contextmanager
def pinned(*only: int) -> Iterator[None]:
    """Let processes that are started in this block run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, only)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server:
    """A running peer, pinned to the server's core."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def rss_kib(self) -> int:
        """Return resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def cpu_s(self) -> float:
        """Return CPU seconds used by all its threads since it started, ended ones and kernel time included."""
        # clock_getcpuclockid(3): /proc has either ticks of 10 ms or no ended threads.
        return time.clock_gettime((~self.process.pid << 3) | 2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(
    peer: Peer,
    secret: str,
    directory: Path,
    settings: Mapping[str, str] | None = None,
    on: Sequence[int] | None = None,
) -> Iterator[Server]:
    """
    Start the peer with its database in ``directory``; kill it at the end.

    Args:
        peer: Which one.
        secret: Signs its tokens.
        directory: For its database and log.
        settings: More environment variables.
        on: Its cores; the server's one unless given.

    Raises:
        RuntimeError: It ended or did not listen within a minute; the message
            holds the end of its log.
    """
    port = _free_port()
    database = f"sqlite:///{directory / 'bench.db'}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))},
        "PYTHONPATH": str(HERE.parent),
        "BENCH_PORT": str(port),
        "BENCH_SECRET": secret,
        "BENCH_DATABASE_URL": database,
        "TOCSIN_PORT": str(port),
        "TOCSIN_JWT_SECRET": secret,
        "TOCSIN_DATABASE_URL": database,
        "TOCSIN_LOG_LEVEL": "warning",
        **(settings or {}),
    }
    command = [*peer.command, str(port)] if peer.key == "limit" else list(peer.command)
    log = directory / "server.log"
    with log.open("wb") as output, pinned(*(on or cores()[:1])):
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_listening(peer, process, port, log)
        yield Server(process, port)
    finally:
        # Killed, not asked to stop: a slow good-bye to 10,000 clients is not measured here.
        process.kill()
        process.wait()


def _wait_until_listening(peer: Peer, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{peer.title} did not start: {log.read_text(errors='replace')[-2000:]}")
