"""
The whole path on both stores: ``python -m bench.cluster`` starts a PostgreSQL, a Valkey and the nodes itself.

One node on SQLite, one on PostgreSQL, two on PostgreSQL with a Valkey between
them, each with 100 connections and more: notifications are POSTed to one node
and arrive at the sockets of the other, committed. Everything shares all cores,
database and load too, so the rows tell how the stacks compare and how each
grows, not what a node does that has a machine of its own.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import generator
from bench.generator import Answer, Generator
from bench.parts import Part, postgres, valkey
from bench.rounds import SECRET
from bench.servers import AVAILABLE, BUILD, PEERS, Server, running

TOCSIN = next(peer for peer in PEERS if peer.key == "tocsin")
POSTS = 4_000
RATES = (200, 1_000)
BULKS = 20
DEADLINE_S = 120.0
WINDOW = 500
KEPT = 10


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs together."""

    title: str
    nodes: int = 1
    has_postgres: bool = True


STACKS = (
    Stack("1 node, SQLite", has_postgres=False),
    Stack("1 node, PostgreSQL"),
    Stack("2 nodes, PostgreSQL + Valkey", nodes=2),
)


@dataclass(slots=True)
class Running:
    """A stack at work: each load holds sockets of one node and POSTs to the next."""

    servers: list[Server]
    loads: list[Generator]
    database: str
    parts: dict[str, Part]

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each has used so far."""
        return {"nodes": sum(server.cpu_s() for server in self.servers)} | {
            name: part.cpu_s() for name, part in self.parts.items()
        }

    def all(self, command: Callable[[Generator], Answer]) -> list[Answer]:
        """Give the command to all loads at once."""
        with ThreadPoolExecutor(len(self.loads)) as pool:
            return list(pool.map(command, self.loads))

    def sessions(self) -> int:
        """Return how many sessions PostgreSQL has of the nodes; 0 without one."""
        if not self.database.startswith("postgresql"):
            return 0
        with psycopg.connect(self.database) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        assert row
        return int(row[0])


@contextmanager
def running_stack(stack: Stack, connections: int) -> Iterator[Running]:
    """Start it with its loads; all are gone afterwards."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(dir=BUILD)))
        database = f"sqlite:///{folder / 'bench.db'}"
        settings = {"TOCSIN_DATABASE_URL": database}
        beside: dict[str, Part] = {}
        if stack.has_postgres:
            beside["PostgreSQL"] = parts.enter_context(postgres())
            database = settings["TOCSIN_DATABASE_URL"] = beside["PostgreSQL"].url
        if stack.nodes > 1:
            beside["Valkey"] = parts.enter_context(valkey(folder))
            settings["TOCSIN_REDIS_URL"] = beside["Valkey"].url
        servers, loads = [], []
        for number in range(stack.nodes):
            home = folder / str(number)
            home.mkdir()
            servers.append(parts.enter_context(running(TOCSIN, SECRET, home, settings, on=AVAILABLE)))
            each = connections // stack.nodes
            generator.write_inputs(home, each, SECRET, first=number * each)
        for number, server in enumerate(servers):
            load = generator.generating(
                server.port,
                folder / str(number),
                BUILD / "generator.log",
                publish_port=servers[(number + 1) % stack.nodes].port,
                on=AVAILABLE,
            )
            loads.append(parts.enter_context(load))
        yield Running(servers, loads, database, beside)


def measure(stack: Stack, connections: int, posters: int) -> dict[str, float]:
    """Return the figures of one stack with so many connections in all, each node asked by so many back ends."""
    each = connections // stack.nodes
    with running_stack(stack, connections) as now:
        before_kib = sum(server.rss_kib() for server in now.servers)
        found = {"handshakes /s": rate(now.all(lambda load: load.connect(each, 100, DEADLINE_S)), "done")}
        time.sleep(1)
        found["KiB a connection"] = (sum(server.rss_kib() for server in now.servers) - before_kib) / connections
        share = POSTS // stack.nodes
        now.all(lambda load: load.publish(posters, share // 4, 0, DEADLINE_S))
        before = now.cpu_s()
        posted = now.all(lambda load: load.publish(posters, share, 0, DEADLINE_S))
        used = now.cpu_s()
        found["POST → socket /s"] = rate(posted, "arrivals")
        for name in ("nodes", "PostgreSQL", "Valkey"):
            found[f"µs of CPU a POST, {name}"] = 1e6 * (used.get(name, 0) - before.get(name, 0)) / POSTS
        fan = min(generator.BULK, each)
        bulk = now.all(lambda load: load.publish_bulk(4, max(1, BULKS // stack.nodes), fan, DEADLINE_S))
        found[f"{generator.BULK} users a POST, /s"] = rate(bulk, "arrivals")
        for per_s in RATES:
            count, mine = per_s * 3 // stack.nodes, per_s / stack.nodes
            timed = now.all(lambda load, c=count, r=mine: load.publish(posters, c, r, DEADLINE_S))  # type: ignore[misc]
            found[f"p50 ms at {per_s:,}/s"] = max(answer.p50_ms for answer in timed)
            found[f"p99 ms at {per_s:,}/s"] = max(answer.p99_ms for answer in timed)
            complain(timed, f"{per_s} a second")
        back = now.all(lambda load: load.storm(min(KEPT, each // 2), min(WINDOW, each), DEADLINE_S))
        found["all cut, back in s"] = max(answer.elapsed_s for answer in back)
        found["database sessions then"] = now.sessions()
        complain(posted + bulk + back, "a step")
    return found


def rate(answers: Sequence[Answer], field: str) -> float:
    """Return what all loads did together, a second."""
    done: float = sum(getattr(answer, field) for answer in answers)
    return done / max(answer.elapsed_s for answer in answers)


def complain(answers: Sequence[Answer], what: str) -> None:
    """Say on stderr what did not come to its end."""
    for answer in answers:
        if answer.failed or answer.timed_out:
            print(f"{what}: {answer.failed} failed{', timed out' if answer.timed_out else ''}", file=sys.stderr)


def main() -> None:
    """Print one table a number of connections."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument(
        "--connections", type=int, nargs="+", default=[100, 1_000, 10_000], help="in all, of each table"
    )
    parser.add_argument("--stack", type=int, choices=range(len(STACKS)), nargs="+", help="of the three, from 0")
    parser.add_argument("--nodes", type=int, default=2, help="of the last stack: many sockets need many processes")
    parser.add_argument("--posters", type=int, default=16, help="HTTP connections that POST to each node")
    given = parser.parse_args()
    generator.compile_all()
    several = Stack(f"{given.nodes} nodes, PostgreSQL + Valkey", nodes=given.nodes)
    stacks = [*STACKS[:2], several]
    if given.stack is not None:
        stacks = [stacks[number] for number in given.stack]
    for connections in given.connections:
        found = [measure(stack, connections, given.posters) for stack in stacks]
        print(f"\n| {connections:,} connections | " + " | ".join(stack.title for stack in stacks) + " |")
        print("|---|" + "--:|" * len(stacks))
        for name in found[0]:
            print(
                f"| {name} | " + " | ".join(f"{one[name]:,.{0 if one[name] >= 100 else 1}f}" for one in found) + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
