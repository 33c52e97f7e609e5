"""
The load generator: compiles ``load/*.c`` and speaks to the running program.

One line of text a command, one line of JSON an answer; what the commands are
is written at the top of ``load/commands.c``.
"""

import json
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import jwt

from bench.servers import BUILD, HERE, cores, pinned

MARK = "0000000"  # replaced by the number of the POST: see load.h
BULK = 1_000  # recipients of one POST, the most that the product takes
TOKEN_LIFE_S = 24 * 3600
ANSWER_GRACE_S = 10.0

PAYLOAD = {
    "id": "0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3",
    "type": "sns_publish_success",
    "title": "Published",
    "message": "Your post is live on three platforms",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "data": {"post_id": "post-1", "bench": MARK},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What one command measured.

    Attributes:
        done: Handshakes, acks or good HTTP answers.
        failed: Sockets or POSTs that did not come to their end.
        arrivals: Notifications received.
        even: Whether every socket received equally many.
        elapsed_s: From the first thing sent to the last thing received.
        load_busy: Share of the time in which the generator had work: near 1, the figure is its limit.
        timed_out: Whether the time ran out first.
        p50_ms: Median latency of what the command times, 0 where it times nothing.
        p99_ms: Its 99th percentile.
    """

    done: int
    failed: int
    arrivals: int
    even: bool
    elapsed_s: float
    load_busy: float
    timed_out: bool
    p50_ms: float
    p99_ms: float


def compile_all() -> None:
    """
    Build the generator and the C reference server into ``build/bench``.

    Raises:
        RuntimeError: There is no C compiler.
    """
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if not compiler:
        raise RuntimeError("the load generator is compiled by the bench: it needs gcc, cc or clang")
    BUILD.mkdir(parents=True, exist_ok=True)
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", f"-I{HERE / 'load'}"]
    for name, sources in {
        "load": sorted((HERE / "load").glob("*.c")),
        "limit": [HERE / "peers" / "limit" / "limit.c"],
    }.items():
        subprocess.run([compiler, *flags, *map(str, sources), "-o", str(BUILD / name)], check=True, timeout=120)


def user_id(number: int) -> str:
    """Return the id of the user behind socket ``number``."""
    return f"user-{number}"


def write_inputs(directory: Path, users: int, secret: str, first: int = 0) -> None:
    """Write the tokens, payload and POST bodies that the generator reads, for users from ``first`` on."""
    numbers = range(first, first + users)
    expires = int(time.time()) + TOKEN_LIFE_S
    tokens = (jwt.encode({"sub": user_id(i), "exp": expires}, secret, "HS256") for i in numbers)
    (directory / "tokens").write_text("\n".join(tokens))
    (directory / "payload").write_text(json.dumps(PAYLOAD, separators=(",", ":")))
    publisher = jwt.encode({"sub": "bench", "scope": "publish", "exp": expires}, secret, "HS256")
    (directory / "head").write_text(
        "POST /api/notifications HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {publisher}\r\nContent-Type: application/json\r\nContent-Length: "
    )
    _write_bodies(directory / "bodies", [{"user_id": user_id(i)} for i in numbers])
    ids = [user_id(i) for i in numbers]
    _write_bodies(directory / "bulk-bodies", [{"user_ids": ids[i : i + BULK]} for i in range(0, users, BULK)])


def _write_bodies(path: Path, recipients: Sequence[dict[str, object]]) -> None:
    content = {name: PAYLOAD[name] for name in ("type", "title", "message", "data")}
    path.write_text("\n".join(json.dumps({**recipient, **content}, separators=(",", ":")) for recipient in recipients))


class Generator:
    """The running load generator; one command at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self._process = process
        self._input: IO[str] = process.stdin
        self._output: IO[str] = process.stdout

    def connect(self, count: int, window: int, timeout_s: float) -> Answer:
        """Open ``count`` sockets, ``window`` handshakes under way at a time."""
        return self._command(f"connect {count} {window}", timeout_s)

    def trigger(self, event: str, times: int, expected: int, timeout_s: float) -> Answer:
        """Ask the server through socket 0 for emits, and wait for ``expected`` arrivals."""
        return self._command(f"trigger {event} {times} {expected}", timeout_s)

    def echo(self, sockets: int, total: int, depth: int, timeout_s: float) -> Answer:
        """Emit events with ack, ``depth`` of them under way on each socket."""
        return self._command(f"echo {sockets} {total} {depth}", timeout_s)

    def publish(self, connections: int, total: int, rate: float, timeout_s: float) -> Answer:
        """POST one notification a request, ``rate`` requests a second or (0) as fast as answers come."""
        return self._command(f"publish 0 {connections} {total} {rate} 1", timeout_s)

    def publish_bulk(self, connections: int, total: int, recipients: int, timeout_s: float) -> Answer:
        """POST notifications for ``recipients`` users a request, as fast as answers come."""
        return self._command(f"publish 1 {connections} {total} 0 {recipients}", timeout_s)

    def storm(self, kept: int, window: int, timeout_s: float) -> Answer:
        """Cut all sockets but ``kept`` and connect them again; latencies are those of the kept ones' events."""
        return self._command(f"storm {kept} {window}", timeout_s)

    def drop(self) -> None:
        """Reset every socket."""
        self._command("drop", 5, has_timeout=False)

    def _command(self, text: str, timeout_s: float, *, has_timeout: bool = True) -> Answer:
        self._input.write(f"{text} {timeout_s}\n" if has_timeout else f"{text}\n")
        self._input.flush()
        ready, _, _ = select.select([self._output], [], [], timeout_s + ANSWER_GRACE_S)
        line = self._output.readline() if ready else ""
        if not line:
            raise RuntimeError(f"the load generator ended or hung at: {text}")
        fields = json.loads(line)
        latency = fields.get("latency", {})
        return Answer(
            done=fields["done"],
            failed=fields["failed"],
            arrivals=fields["arrivals"],
            even=fields["least"] == fields["most"],
            elapsed_s=fields["elapsed_s"],
            load_busy=fields["load_busy"],
            timed_out=fields["timed_out"],
            p50_ms=latency.get("p50_ms", 0.0),
            p99_ms=latency.get("p99_ms", 0.0),
        )


@contextmanager
def generating(
    port: int, inputs: Path, log: Path, *, publish_port: int | None = None, on: Sequence[int] | None = None
) -> Iterator[Generator]:
    """
    Start a generator against a loopback port; it ends with this process.

    Args:
        port: Where its sockets go.
        inputs: Folder that ``write_inputs`` filled.
        log: What it complains of is added to this file.
        publish_port: Where its POSTs go; to ``port`` unless given.
        on: Its cores, which it shares; one of its own, where it spins, unless given.
    """
    server_core, load_core = cores()
    arguments = [
        "0" if on or server_core == load_core else "1",
        f"{port},{publish_port or port}",
        *(str(inputs / name) for name in ("tokens", "payload", "head", "bodies", "bulk-bodies")),
    ]
    with log.open("ab") as errors, pinned(*(on or [load_core])):
        process = subprocess.Popen(
            [str(BUILD / "load"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Generator(process)
    finally:
        process.kill()
        process.wait()
