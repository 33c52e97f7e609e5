"""
What pushes cost those who have a socket: ``python -m bench.push [--seconds N] [--rounds N] [--together N]``.

A back end makes 1,000 notifications a second: once for users without a device, once for users
whose devices a Firebase on loopback answers for. Meanwhile single events are published, and the time
until their socket has them is measured. Both loads take turns; what counts is their ratio.
The server has a core for itself, all else shares another; the probe comes first there.
"""

import argparse
import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from websockets.asyncio.client import connect

from bench import servers
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.adapters.sql.migrate import upgrade
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings
from tocsin.testing.fcm import FakeFcm

SECRET = "the bench's own secret, known to every peer and of no use elsewhere"
USERS = 10_000
A_SECOND = 1_000
PAUSE_S = 0.005
LOADS = ("nothing else", "no devices", "pushes")


def _settings() -> Settings:
    return Settings(_env_file=None, jwt_secret=SECRET)


class Http:
    """A kept-alive connection that posts JSON, at next to no cost of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"

    @classmethod
    async def open(cls, port: int) -> "Http":
        """Connect as a back end."""
        token = issue_token(_settings(), UserId("shop"), ttl_s=3_600, scope="publish")
        return cls(*await asyncio.open_connection("127.0.0.1", port), token)

    async def post(self, path: str, body: Mapping[str, object]) -> None:
        """Post, and wait for the answer."""
        content = json.dumps(body)
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n"
        self._writer.write((head + content).encode())
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        if not answer.startswith("http/1.1 2"):
            raise RuntimeError(answer)
        await self._reader.readexactly(int(answer.split("content-length: ")[1].split("\r\n")[0]))


async def _load(port: int, prefix: str, together: int, seconds: float) -> None:
    http = await Http.open(port)
    began = time.perf_counter()
    turns = int(seconds * A_SECOND / together)
    for turn in range(turns):
        users = [f"{prefix}-{(turn * together + number) % USERS:06}" for number in range(together)]
        body = {"user_ids": users, "type": "t", "title": "T", "message": "m" * 100, "priority": "urgent"}
        await http.post("/api/notifications", body)
        await asyncio.sleep(max(0, began + (turn + 1) * together / A_SECOND - time.perf_counter()))


def _run_load(port: int, prefix: str, together: int, seconds: float) -> None:
    os.nice(5)
    asyncio.run(_load(port, prefix, together, seconds))


async def _probe(port: int, seconds: float) -> list[float]:
    """Publish one event after another; return after how many milliseconds the socket had each."""
    token = issue_token(_settings(), UserId("me"), ttl_s=3_600)
    http = await Http.open(port)
    took: list[float] = []
    async with connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", proxy=None) as socket:
        await socket.recv()
        await socket.send(f'40/orders,{{"token":"{token}"}}')
        await socket.recv()
        ends_at = time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends_at:
            event = {"namespace": "/orders", "event": "order_updated", "user_id": "me", "data": {"order_id": 1}}
            post = asyncio.create_task(http.post("/api/events", event))
            while "order_updated" not in str(message := await socket.recv()):
                if message == "2":
                    await socket.send("3")
            took.append((time.perf_counter() - began) * 1_000)
            await post
            await asyncio.sleep(PAUSE_S)
    return took


def _serve_firebase(folder: str, told: multiprocessing.connection.Connection) -> None:
    os.nice(5)
    with FakeFcm() as firebase:
        told.send((firebase.url, str(firebase.write_key(Path(folder)))))
        while told.recv():
            told.send(len(firebase.sent))


def _fill(path: str) -> None:
    upgrade(path)
    with sqlite3.connect(path) as connection:
        rows = ((f"d-{n}", f"with-{n:06}", "token", f"t-{n}", "android", None, 0, 0) for n in range(USERS))
        connection.executemany("INSERT INTO tocsin_device VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()


@contextmanager
def _firebase(folder: str) -> Iterator[tuple[multiprocessing.connection.Connection, str, str]]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve_firebase, args=(folder, theirs))
    process.start()
    url, key = ours.recv()
    try:
        yield ours, url, key
    finally:
        ours.send(False)
        process.join(10)


@contextmanager
def _first() -> Iterator[None]:
    """Run before all else on this core, where that is allowed: the waits of the probe are not the server's."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _move_worker(server: servers.Server, core: int) -> None:
    """Let the process that speaks to Firebase run where it does not take the server's time."""
    found = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=False)
    for pid in found.stdout.split():
        with suppress(ProcessLookupError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {core})


def _measure(server: servers.Server, load: str, together: int, seconds: float) -> list[float]:
    process = None
    if load != LOADS[0]:
        prefix = "with" if load == "pushes" else "without"
        process = multiprocessing.get_context("spawn").Process(
            target=_run_load, args=(server.port, prefix, together, seconds + 3)
        )
        process.start()
        time.sleep(2.0)
        _move_worker(server, servers.cores()[1])
    with _first():
        took = asyncio.run(_probe(server.port, seconds))
    if process is not None:
        process.join()
    return took


def main() -> None:
    """Measure, and print a line a round and the ratios at the end."""
    parser = argparse.ArgumentParser(prog="python -m bench.push")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--together", type=int, default=20, help="users of one request")
    arguments = parser.parse_args()
    ratios: list[float] = []
    os.sched_setaffinity(0, {servers.cores()[1]})
    with tempfile.TemporaryDirectory() as folder, _firebase(folder) as (firebase, url, key):
        _fill(str(Path(folder) / "bench.db"))
        (peer,) = (one for one in servers.PEERS if one.key == "tocsin")
        environment = {"FIREBASE_CREDENTIALS_PATH": key, "TOCSIN_FCM_URL": url}
        with servers.running(peer, SECRET, Path(folder), environment) as server:
            for _ in range(arguments.rounds):
                slowest: dict[str, float] = {}
                for load in LOADS:
                    firebase.send(True)
                    before, before_s, cpu_s = firebase.recv(), time.perf_counter(), server.cpu_s()
                    took = sorted(_measure(server, load, arguments.together, arguments.seconds))
                    firebase.send(True)
                    sent, took_s = firebase.recv() - before, time.perf_counter() - before_s
                    slowest[load] = statistics.quantiles(took, n=100)[98]
                    print(
                        f"{load:13} p50 {statistics.median(took):5.2f}  p99 {slowest[load]:6.2f} ms of {len(took):,}"
                        f"  {sent / took_s:5,.0f} pushes/s  server {(server.cpu_s() - cpu_s) / took_s:4.0%} of a core",
                        flush=True,
                    )
                ratios.append(slowest["pushes"] / slowest["no devices"])
    print(f"p99 with pushes over p99 without: {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
