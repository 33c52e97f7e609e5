"""
Medians, spread and ratios of one run: as a table for people and as JSON.

How the figures came about is in ``rounds``; the plot is in ``plot``.
"""

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.rounds import Measured, Plan
from bench.servers import NODE_PEER, PEERS, Peer

REFERENCE = "node"


@dataclass(frozen=True, slots=True)
class Column:
    """One thing measured; ``less_is_better`` for memory, CPU and latency."""

    key: str
    title: str
    less_is_better: bool = False


COLUMNS = (
    Column("handshakes", "handshakes with JWT /s"),
    Column("rss", "RSS KiB a connection", less_is_better=True),
    Column("broadcast", "1 broadcast, deliveries/s"),
    Column("burst", "10 broadcasts, deliveries/s"),
    Column("emits", "emits to single users /s"),
    Column("echo", "echo + ack /s"),
    Column("echo4", "echo + ack /s, 4 in flight"),
    Column("idle_cpu", "idle, % of a core", less_is_better=True),
    Column("publish", "POST, commit, deliver /s"),
    Column("publish_bulk", "the same, 1,000 users a POST"),
    Column("latency_p50", "POST to socket p50 ms, 1k/s", less_is_better=True),
    Column("latency_p99", "POST to socket p99 ms, 1k/s", less_is_better=True),
    Column("storm", "reconnect storm /s"),
    Column("storm_p99", "others' ack p99 ms meanwhile", less_is_better=True),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach: ``factor`` times another peer's, or a plain figure where ``against`` is None."""

    peer: str
    column: str
    factor: float
    against: str | None = None


TARGETS = (
    Target("engine", "handshakes", 8, "node"),
    Target("tocsin", "handshakes", 8, "node"),
    Target("engine", "rss", 3),
    Target("tocsin", "rss", 5),
    Target("engine", "broadcast", 2.2, "node"),
    Target("engine", "broadcast", 0.85, "limit"),
    Target("engine", "burst", 10, "node"),
    Target("engine", "emits", 2.5, "node"),
    Target("engine", "echo", 2.5, "node"),
    Target("engine", "echo4", 2.5, "node"),
    Target("engine", "idle_cpu", 0.25, "node"),
    Target("tocsin", "idle_cpu", 0.25, "node"),
    Target("tocsin", "publish", 5_000),
    Target("tocsin", "publish", 20, "guide"),
    Target("tocsin", "publish_bulk", 20_000),
    Target("tocsin", "latency_p50", 2),
    Target("tocsin", "latency_p99", 10),
    Target("engine", "storm", 8, "node"),
    Target("tocsin", "storm", 8, "node"),
    Target("engine", "storm_p99", 50),
    Target("tocsin", "storm_p99", 50),
)


class Results:
    """What a run has measured so far, by peer."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rounds: dict[str, list[Measured]] = {}

    def add(self, peer: Peer, measured: Measured) -> None:
        """Record one peer's round."""
        self.rounds.setdefault(peer.key, []).append(measured)

    @property
    def peers(self) -> list[Peer]:
        """The peers of this run, in the table's order."""
        return [peer for peer in PEERS if peer.key in self.rounds]

    @property
    def columns(self) -> list[Column]:
        """The columns in which anybody has a figure."""
        return [column for column in COLUMNS if any(self.median(peer.key, column.key) for peer in self.peers)]

    @property
    def faults(self) -> list[str]:
        """Everything that went wrong."""
        return [fault for measured in self.rounds.values() for one in measured for fault in one.faults]

    def values(self, peer: str, column: str) -> list[float]:
        """Return the figure of each round that has one."""
        return [measured.values[column] for measured in self.rounds.get(peer, []) if column in measured.values]

    def median(self, peer: str, column: str) -> float | None:
        """Return the median over the rounds, or None without a figure."""
        values = self.values(peer, column)
        return median(values) if values else None

    def cpu_us(self, peer: str, column: str) -> float | None:
        """Return the median CPU microseconds of the server for one operation, or None."""
        values = [measured.cpu_us[column] for measured in self.rounds.get(peer, []) if column in measured.cpu_us]
        return median(values) if values else None

    def spread(self, peer: str, column: str) -> float:
        """Return half the range over the rounds as a share of the median."""
        return _spread(self.values(peer, column))

    def is_bounded(self, peer: str, column: str) -> bool:
        """Return whether the generator was the limit in any round, so that the server may be faster."""
        return any(column in measured.bounded for measured in self.rounds.get(peer, []))

    def ratios(self, peer: str, column: str, against: str = REFERENCE) -> list[float]:
        """Return the peer's figure over the other's in each round: what slows a round slows both."""
        rounds = zip(self.rounds.get(peer, []), self.rounds.get(against, []), strict=False)
        return [
            own.values[column] / other.values[column]
            for own, other in rounds
            if column in own.values and other.values.get(column)
        ]

    def ratio(self, peer: str, column: str, against: str = REFERENCE) -> float | None:
        """Return the median of the rounds' ratios, or None where there is none."""
        ratios = self.ratios(peer, column, against)
        return median(ratios) if ratios else None

    def ratio_text(self, peer: str, column: str, unit: str) -> str:
        """Return the ratio to the reference with its spread over the rounds; empty without one."""
        ratios = self.ratios(peer, column)
        if not ratios:
            return ""
        return f"{median(ratios):.2f}{unit}" + (f" ±{100 * _spread(ratios):.0f}%" if len(set(ratios)) > 1 else "")


def _spread(values: list[float]) -> float:
    return (max(values) - min(values)) / 2 / median(values) if values and median(values) else 0.0


def number(value: float) -> str:
    """Return a figure with three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(results: Results) -> str:
    """Return medians with spread, ratios to Node, and what is reached of the targets."""
    peers = results.peers
    widths = [max(len(peer.title), 17) for peer in peers]
    lines = [" " * 30 + "  ".join(peer.title.rjust(width) for peer, width in zip(peers, widths, strict=True))]
    for column in results.columns:
        figures = [_figure(results, peer.key, column.key) for peer in peers]
        lines.append(column.title.ljust(30) + "  ".join(map(str.rjust, figures, widths)))
        shown = [results.ratio_text(peer.key, column.key, " x Node") for peer in peers]
        if any(shown):
            lines.append(" " * 30 + "  ".join(map(str.rjust, shown, widths)))
    lines += ["", "CPU of the server, µs each"]
    for column in results.columns:
        used = [results.cpu_us(peer.key, column.key) for peer in peers]
        if any(value is not None for value in used):
            shown = ["-" if value is None else number(value) for value in used]
            lines.append(column.title.removesuffix(" /s").ljust(30) + "  ".join(map(str.rjust, shown, widths)))
    lines += [
        "",
        _caption(results),
        "x: median of the rounds' ratios to Node, ± half their range. A slow minute slows both, so they move less.",
        "≥: the load generator was busy all the time, so the server may be faster.",
        "",
        *_targets(results),
    ]
    return "\n".join(lines)


def markdown(results: Results, agreement: str) -> str:
    """Return medians and their ratios to Node as a Markdown table; below it how far an earlier run agrees."""
    peers = results.peers
    lines = ["| | " + " | ".join(peer.title for peer in peers) + " |", "|---|" + "--:|" * len(peers)]
    for column in results.columns:
        cells = []
        for peer in peers:
            ratio = results.ratio_text(peer.key, column.key, "x") if peer.key != REFERENCE else ""
            compared = f" ({ratio})" if ratio else ""
            cells.append(_figure(results, peer.key, column.key) + compared)
        lines.append(f"| {column.title} | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"{_caption(results)} x: median of the rounds' ratios to Node, ± half their range.",
        "",
        "```",
        *_targets(results),
        "```",
    ]
    lines += ["", agreement] if agreement else []
    return "\n".join(lines)


def _caption(results: Results) -> str:
    connections = [f"{results.plan.connections:,} connections"]
    connections += [f"{peer.title} {peer.max_connections:,}" for peer in results.peers if peer.max_connections]
    return f"Medians of {results.plan.rounds} interleaved rounds, ± half the range over them; {', '.join(connections)}."


def _figure(results: Results, peer: str, column: str) -> str:
    value = results.median(peer, column)
    if value is None:
        return "-"
    text = ("≥ " if results.is_bounded(peer, column) else "") + number(value)
    return f"{text} ±{100 * results.spread(peer, column):.0f}%" if len(results.values(peer, column)) > 1 else text


def _targets(results: Results) -> list[str]:
    titles = {peer.key: peer.title for peer in PEERS}
    columns = {column.key: column for column in COLUMNS}
    lines = []
    for target in TARGETS:
        value = (
            results.ratio(target.peer, target.column, target.against)
            if target.against
            else results.median(target.peer, target.column)
        )
        if value is None:
            continue
        column = columns[target.column]
        is_met = value <= target.factor if column.less_is_better else value >= target.factor
        sign = "≤" if column.less_is_better else "≥"
        unit = f" x {titles[target.against]}" if target.against else ""
        verdict = "reached" if is_met else "MISSED"
        wanted = f"{sign} {target.factor:,g}{unit}"
        lines.append(f"{verdict:8}{titles[target.peer]}: {column.title}: {number(value)}, to reach {wanted}")
    return lines


def as_json(results: Results) -> str:
    """Return everything measured with what it was measured on; no host names or paths."""
    lock = json.loads((NODE_PEER / "package-lock.json").read_text())["packages"]
    packages = ("tocsin", "uvicorn", "uvloop", "python-socketio", "flask-socketio")
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "kernel": platform.release()},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
            **{name: lock[f"node_modules/{name}"]["version"] for name in ("socket.io", "ws", "bufferutil")},
        },
        "plan": asdict(results.plan),
        "peers": {
            peer.key: {
                "title": peer.title,
                "figures": {
                    column.key: {
                        "median": round(value, 3),
                        "spread": round(results.spread(peer.key, column.key), 3),
                        "ratio_to_node": _rounded(results.ratio(peer.key, column.key)),
                        "server_cpu_us": _rounded(results.cpu_us(peer.key, column.key)),
                        "bounded_by_generator": results.is_bounded(peer.key, column.key),
                        "rounds": [round(one, 3) for one in results.values(peer.key, column.key)],
                    }
                    for column in results.columns
                    if (value := results.median(peer.key, column.key)) is not None
                },
                "faults": [fault for measured in results.rounds[peer.key] for fault in measured.faults],
            }
            for peer in results.peers
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _cpu() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
