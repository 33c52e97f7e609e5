"""
A fleet on paper: shards, hot users and nodes for a hundred million people. ``python -m bench.scale``.

What one process does was measured (``FIGURES``, by the commands named there);
what a fleet of them needs follows from that and from chance, which is played
here: which users are hot, where they fall, who holds whom.
"""

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

SAMPLE = 500_000  # users who are played; the others are so many that chance evens them out
SEED = 1
DAY_S = 86_400
PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "scale.md"


@dataclass(frozen=True, slots=True)
class Figures:
    """
    What one process does, as measured on the machine of docs/explanation/performance.md.

    Attributes:
        connections: Sockets that a process may hold: its file limit, less a reserve.
        connection_kib: Resident memory of an idle one (``make bench``), and the kernel's part.
        emits: Deliveries to single users a second (``make bench``).
        hears: Events of other nodes that a process takes from the bus a second (``python -m bench.bus``).
        writes: Events that one database commits a second (``python -m bench.stored``, a million of them stored).
        storm: Clients that come back a second (``make bench``).
        event_bytes: A row of the stream, its indexes and its part of the notification (``python -m bench.stored``).
    """

    connections: int = 19_000
    connection_kib: float = 4.4 + 4.0
    emits: int = 65_000
    hears: int = 60_000
    writes: int = 7_500
    storm: int = 4_300
    event_bytes: int = 600


@dataclass(frozen=True, slots=True)
class World:
    """
    Who uses the product.

    Attributes:
        users: Registered ones.
        online: Share of them connected at the busiest hour.
        devices: Connections of one who is.
        events: Durable events a user gets on an ordinary day.
        peak: The busiest second against the average one.
        skew: Exponent of Zipf's law: how much more the loud get than the quiet.
        cap: The most events a second that one user's stream takes.
    """

    users: int = 100_000_000
    online: float = 0.1
    devices: float = 1.3
    events: float = 20.0
    peak: float = 3.0
    skew: float = 1.0
    cap: float = 20.0

    @property
    def connections(self) -> float:
        """Sockets at the busiest hour."""
        return self.users * self.online * self.devices

    @property
    def rate(self) -> float:
        """Durable events a second at the busiest one."""
        return self.users * self.events * self.peak / DAY_S


def rates(world: World, count: int) -> list[float]:
    """Return events a second of the ``count`` hottest users."""
    total = _harmonic(world.users, world.skew)
    return [min(world.cap, world.rate * rank**-world.skew / total) for rank in range(1, count + 1)]


def _harmonic(n: int, skew: float) -> float:
    exact = min(n, 1_000)
    head: float = sum(rank**-skew for rank in range(1, exact + 1))
    power = 1 - skew
    return head + float((n**power - exact**power) / power if power else math.log(n / exact))


def loads(world: World, hot: Sequence[float], buckets: int, seed: int) -> list[float]:
    """Return each shard's events a second: the hot users fall where the product's hash puts them, the many are even."""
    found = [max(0.0, world.rate - sum(hot)) / buckets] * buckets
    for number, rate in enumerate(hot):
        found[crc32(f"{seed}-{number}".encode()) % buckets] += rate
    return found


def held(shards: int, users: int) -> float:
    """Return the share of shards of which a node with ``users`` at random holds one at least."""
    return 1 - (1 - 1 / shards) ** users


def table(head: Sequence[str], rows: Iterator[Sequence[object]]) -> Iterator[str]:
    """Give a Markdown table, line by line."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row) + " |"


def fleet(world: World, figures: Figures) -> Iterator[str]:
    """Give how many of everything it takes."""
    nodes = math.ceil(world.connections / figures.connections)
    memory_gib = world.connections * figures.connection_kib / 1024**2
    cells = math.ceil(world.rate / figures.writes)
    day_gb = world.users * world.events * figures.event_bytes / 1e9
    yield from table(
        ("what", "number", "because"),
        iter(
            (
                (
                    "connections",
                    f"{world.connections:,.0f}",
                    f"{world.online:.0%} of the users, {world.devices} devices",
                ),
                ("processes", f"{nodes:,}", f"{figures.connections:,} sockets each"),
                ("memory for sockets, GiB", f"{memory_gib:,.0f}", f"{figures.connection_kib:.1f} KiB each"),
                ("events a second", f"{world.rate:,.0f}", f"{world.events:.0f} a user and day, × {world.peak:.0f}"),
                ("databases", f"{cells:,}", f"{figures.writes:,} commits a second each"),
                ("kept in 7 days, GB", f"{7 * day_gb:,.0f}", f"{figures.event_bytes} bytes an event"),
                (
                    "a process's deliveries a second",
                    f"{world.rate * world.devices / nodes:,.0f}",
                    f"of {figures.emits:,}",
                ),
            )
        ),
    )


def shards(world: World, seed: int) -> Iterator[str]:
    """Give how even shards are, hot users and all."""

    def rows() -> Iterator[Sequence[object]]:
        hot = rates(world, SAMPLE)
        for count in (16, 64, 256, 1_024, 4_096):
            found = sorted(loads(world, hot, count, seed))
            mean = sum(found) / count
            yield (
                f"{count:,}",
                found[count // 2] / mean,
                found[int(count * 0.99)] / mean,
                found[-1] / mean,
                hot[0] / mean,
            )

    yield from table(("shards", "median / mean", "99th / mean", "busiest / mean", "hottest user / mean"), rows())


def heard(world: World, figures: Figures) -> Iterator[str]:
    """Give what a node hears over the bus, with users anywhere and with users kept together."""
    nodes = math.ceil(world.connections / figures.connections)
    mine = world.connections / world.devices / nodes
    needed = world.rate * world.devices / nodes

    def rows() -> Iterator[Sequence[object]]:
        for count in (64, 1_024, 16_384, 1_048_576):
            share = held(count, int(mine))
            together = min(1.0, math.ceil(count / nodes + 1) / count)
            yield (
                f"{count:,}",
                f"{share:.1%}",
                f"{share * world.rate:,.0f}",
                f"{together * world.rate:,.0f}",
                f"{needed:,.0f}",
            )

    head = ("shards", "held, users anywhere", "heard a second", "heard, a shard's users together", "needed")
    yield from table(head, rows())


def cells(world: World, figures: Figures) -> Iterator[str]:
    """Give what a cell is: a database, a bus and their processes, for a part of the users."""
    least = math.ceil(world.rate / figures.writes)

    def rows() -> Iterator[Sequence[object]]:
        for count in sorted({1, least, 2 * least, 4 * least}):
            rate = world.rate / count
            nodes = math.ceil(world.connections / count / figures.connections)
            yield (
                f"{count:,}",
                f"{world.users / count:,.0f}",
                f"{nodes:,}",
                f"{rate:,.0f} ({rate / figures.writes:.0%})",
                f"{rate:,.0f} ({rate / figures.hears:.1%})",
            )

    head = (
        "cells",
        "users each",
        "processes each",
        "writes a second (share)",
        "heard by each process (share)",
    )
    yield from table(head, rows())


def storms(world: World, figures: Figures, seed: int) -> Iterator[str]:
    """Give how long it takes until all are back when nodes die, the others taking their clients at random."""
    nodes = math.ceil(world.connections / figures.connections)
    chance = random.Random(seed)

    def rows() -> Iterator[Sequence[object]]:
        for dead in (1, max(1, nodes // 100), max(2, nodes // 10), nodes // 2):
            lost = dead * figures.connections
            mean = lost / (nodes - dead)
            busiest = max(chance.gauss(mean, math.sqrt(mean)) for _ in range(nodes - dead))
            yield (f"{dead:,} of {nodes:,}", f"{lost:,}", f"{busiest:,.0f}", busiest / figures.storm)

    yield from table(("nodes that die", "clients", "come to the busiest", "seconds of handshakes there"), rows())


def tables(world: World, figures: Figures, seed: int) -> dict[str, list[str]]:
    """Return all tables by name."""
    return {
        "fleet": [*fleet(world, figures)],
        "shards": [*shards(world, seed)],
        "heard": [*heard(world, figures)],
        "cells": [*cells(world, figures)],
        "storms": [*storms(world, figures, seed)],
    }


def published(text: str, found: dict[str, list[str]]) -> str:
    """Return a page with the tables put where it names them."""
    for name, lines in found.items():
        begin, end = f"<!-- scale: {name} -->", "<!-- end -->"
        before, rest = text.split(begin)
        text = "\n".join((before + begin, *lines, end)) + rest.partition(end)[2]
    return text


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    for name in ("users", "online", "events", "skew"):
        default = getattr(World(), name)
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--publish", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    world = World(users=given.users, online=given.online, events=given.events, skew=given.skew)
    found = tables(world, Figures(), given.seed)
    if given.publish:
        PAGE.write_text(published(PAGE.read_text(), found))
    for lines in found.values():
        print("\n".join(lines), end="\n\n")


if __name__ == "__main__":
    main()
