"""
Run a soak: ``python -m bench.soak --minutes 30 --clients 5000 --rate 1000``.

Prints a line every few seconds and the sentences of ``judge`` at the end; writes
``bench/results/soak.json``, and the figures and a plot into ``docs`` with
``--publish``. Exits with 1 when something is not as it has to be.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench.servers import HERE, Peer, pinned, running
from bench.soak.histogram import Histogram
from bench.soak.judge import judge
from bench.soak.plot import panels, svg
from bench.soak.posting import Posting
from bench.soak.report import markdown, publish
from bench.soak.swarm import Orders, token
from bench.soak.tally import Bits, Counts, Shown, count
from tocsin.cli.prove.http import Http
from tocsin.cli.prove.route import Address, Route

RESULTS = HERE / "results" / "soak.json"
DOCS = HERE.parent / "docs"
DEVICES = 2
_BAD = re.compile(r"Traceback|\[(?:error|critical) *\]")
_LINE_LIMIT = 2**27


class Hive:
    """The swarms of a run: what each told last, and the latencies since anybody asked."""

    def __init__(self) -> None:
        self.ends: list[dict[str, Any]] = []
        self.window = Histogram()
        self.told: dict[int, dict[str, Any]] = {}
        self._processes: list[asyncio.subprocess.Process] = []
        self._readers: list[asyncio.Task[None]] = []

    async def start(self, orders: Sequence[Orders], log: Path) -> None:
        """Start a process for each order."""
        for number, order in enumerate(orders):
            with log.open("ab") as errors:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bench.soak.swarm"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=errors,
                    cwd=HERE.parent,
                    limit=_LINE_LIMIT,
                )
            self._processes.append(process)
            self._say(process, asdict(order))
            self._readers.append(asyncio.create_task(self._read(number, process)))

    def _say(self, process: asyncio.subprocess.Process, value: object) -> None:
        assert process.stdin
        process.stdin.write(json.dumps(value).encode() + b"\n")

    async def _read(self, number: int, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            told = json.loads(line)
            if "end" in told:
                self.ends.append(told)
            self.window.merge(Histogram(told.pop("latencies", ())))
            self.told[number] = told

    def total(self, name: str) -> int:
        """Return a sum over all swarms."""
        return sum(told[name] for told in self.told.values())

    async def end(self, due: list[int]) -> None:
        """Tell how many posts each user has, and return when every swarm has told its tally."""
        for process in self._processes:
            self._say(process, due)
        await asyncio.gather(*self._readers)
        await asyncio.gather(*(process.wait() for process in self._processes))

    def kill(self) -> None:
        """Leave nothing behind."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()

    def clients(self) -> list[tuple[int, Shown]]:
        """Return every client's user and tally."""
        return [
            (
                user,
                Shown(**{**tally, "numbers": Bits.from_hex(tally["numbers"]), "chain": bytes.fromhex(tally["chain"])}),
            )
            for end in self.ends
            for user, tally in zip(end["users"], end["end"], strict=True)
        ]


class Soak:
    """One run on a running server; belongs to one event loop."""

    def __init__(self, arguments: argparse.Namespace, port: int, secret: str, folder: Path) -> None:
        self._arguments = arguments
        self._address = Address("127.0.0.1", port)
        self._secret = secret
        self._folder = folder
        self._users = max(1, arguments.clients // DEVICES)
        self._hive = Hive()
        self._all = Histogram()
        self.samples: list[dict[str, Any]] = []

    async def run(self) -> dict[str, Any]:
        """Let clients and back ends work; return the results."""
        arguments, hive = self._arguments, self._hive
        posting = Posting(self._address, self._secret, self._users, arguments.rate)
        try:
            await hive.start(await self._orders(), self._folder / "swarm.log")
            while len(hive.told) < arguments.processes or hive.total("connected") < 0.9 * arguments.clients:  # noqa: ASYNC110 it tells every few seconds
                await asyncio.sleep(0.5)
            print(f"{hive.total('connected'):,} of {arguments.clients:,} clients are connected", flush=True)
            begun = time.monotonic()
            watching = asyncio.create_task(self._watch(begun, posting))
            await posting.run(begun + arguments.minutes * 60)
            watching.cancel()
            posted = posting.posted
            await hive.end([posted.acked[user].value.bit_count() for user in range(self._users)])
        finally:
            hive.kill()
        counts = count(posted.sent, posted.acked, hive.clients())
        return self._results(posting, counts)

    async def _orders(self) -> list[Orders]:
        http = Http(Route([self._address], 0))
        headers = {"Authorization": f"Bearer {token(self._secret, 'soak')}"}
        epoch = (await http.request("GET", "/api/notifications", headers=headers)).json()["epoch"]
        http.close()
        arguments = self._arguments
        each = -(-arguments.clients // arguments.processes)
        return [
            Orders(
                port=self._address.port,
                secret=self._secret,
                epoch=epoch,
                first=first,
                clients=min(each, arguments.clients - first),
                users=self._users,
                churn=arguments.churn,
                reads_per_s=arguments.reads / arguments.processes,
                seed=first,
            )
            for first in range(0, arguments.clients, each)
        ]

    async def _watch(self, begun: float, posting: Posting) -> None:
        """Put together what the server writes and what the swarms tell."""
        hive = self._hive
        shown, sessions, before = hive.total("shown"), hive.total("sessions"), begun
        with (self._folder / "samples").open() as lines:
            lines.seek(0, os.SEEK_END)
            while True:
                await asyncio.sleep(0.5)
                if not (line := lines.readline()).endswith("\n"):
                    continue
                window, hive.window = hive.window, Histogram()
                self._all.merge(window)
                now = time.monotonic()
                sample = {
                    **json.loads(line),
                    "s": now - begun,
                    "connected": hive.total("connected"),
                    "deliveries_per_s": (hive.total("shown") - shown) / (now - before),
                    "sessions_per_s": (hive.total("sessions") - sessions) / (now - before),
                    "posted": posting.posted.total,
                    "p50_ms": window.percentile(0.5),
                    "p99_ms": window.percentile(0.99),
                }
                shown, sessions, before = hive.total("shown"), hive.total("sessions"), now
                self.samples.append(sample)
                print(_line(sample), flush=True)

    def _results(self, posting: Posting, counts: Counts) -> dict[str, Any]:
        arguments, hive, posted = self._arguments, self._hive, posting.posted
        log = (self._folder / "server.log").read_text(errors="replace").splitlines()
        complaints = [line for line in log if _BAD.search(line)]
        warm_up_s = arguments.minutes * 60 * arguments.warm_up
        failures = {
            **{f"posts answered {kind}": number for kind, number in posted.failures.items()},
            "reads": hive.total("failed_reads"),
            "resyncs": hive.total("resyncs"),
            "clients that gave up": sum(len(end["gave_up"]) for end in hive.ends),
        }
        sentences = judge(
            self.samples,
            warm_up_s,
            counts,
            acked=posted.total,
            rates=(posted.total / posted.seconds, arguments.rate),
            complaints=complaints,
            failures=failures,
        )
        last = self.samples[-1] if self.samples else {}
        return {
            "is_good": all(sentence.is_good for sentence in sentences),
            "sentences": [asdict(sentence) for sentence in sentences],
            "latency_ms": {name: self._all.percentile(share) for name, share in _SHARES.items()},
            "answer_ms": {name: posted.answers.percentile(share) for name, share in _SHARES.items()},
            "loop_delay_p99_ms": max((sample["delay_p99_ms"] for sample in self.samples), default=0.0),
            "sessions": hive.total("sessions"),
            "gaps": hive.total("gaps"),
            "reads": hive.total("reads"),
            "shown": hive.total("shown"),
            "database_bytes_an_event": last.get("database_bytes", 0) / max(1, posted.total),
            "engine": last.get("engine"),
            "warm_up_s": warm_up_s,
            "arguments": {name: value for name, value in vars(arguments).items() if name != "plot"},
            "complaints": complaints[:20],
            "gave_up": [one for end in hive.ends for one in end["gave_up"]][:20],
            "samples": self.samples,
        }


_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def _line(sample: dict[str, Any]) -> str:
    return (
        f"{sample['s']:6.0f} s  {sample['connected']:,} clients  {sample['deliveries_per_s']:,.0f} deliveries/s  "
        f"p50 {sample['p50_ms']:.1f} p99 {sample['p99_ms']:.1f} ms  {sample['rss_kib'] / 1024:.1f} MiB  "
        f"{sample['objects']:,} objects  {sample['fds']} fds  loop late {sample['delay_max_ms']:.0f} ms  "
        f"db {sample['database_bytes'] / 1e6:.0f} MB"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=5_000, help=f"{DEVICES} a user")
    parser.add_argument("--rate", type=float, default=1_000.0, help="notifications posted a second")
    parser.add_argument("--churn", type=float, default=0.005, help="share of the clients cut or leaving in a second")
    parser.add_argument("--reads", type=float, default=20.0, help="inboxes read over REST a second")
    parser.add_argument("--processes", type=int, default=2, help="of clients")
    parser.add_argument("--warm-up", type=float, default=0.2, help="share of the time that does not count")
    parser.add_argument("--plot", type=Path, help="where the SVG goes")
    parser.add_argument("--publish", action="store_true", help="write the figures and the plot into docs/ too")
    return parser.parse_args()


def main() -> int:
    """Run a soak; return 1 when something is not as it has to be."""
    arguments = _arguments()
    # The server and the clients end with this process, however that ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    secret = secrets.token_hex(32)
    (HERE / "results").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HERE / "results", prefix="soak-") as name:
        folder = Path(name)
        peer = Peer("soak", "Tocsin, watched", (sys.executable, "-m", "bench.soak.server", str(folder / "samples")))
        # The load has all cores but the server's, where there is more than one.
        own, *others = sorted(os.sched_getaffinity(0))
        with running(peer, secret, folder) as server, pinned(*(others or [own])):
            soak = Soak(arguments, server.port, secret, folder)
            results = uvloop.run(soak.run())
        if (trace := folder / "samples.trace").exists():
            print(trace.read_text())
    RESULTS.write_text(json.dumps(results, indent=1))
    plots = [path for path in (arguments.plot, DOCS / "images" / "soak.svg" if arguments.publish else None) if path]
    title = f"{arguments.clients:,} clients that come and go, {arguments.rate:,.0f} notifications a second"
    seconds = [sample["s"] for sample in soak.samples]
    for path in plots:
        path.write_text(svg(title, seconds, results["warm_up_s"], panels(soak.samples)))
    figures = markdown(results)
    if arguments.publish:
        publish(DOCS / "explanation" / "performance.md", figures)
    print(figures)
    return not results["is_good"]


if __name__ == "__main__":
    sys.exit(main())
