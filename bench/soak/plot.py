"""A soak over time as one small SVG: memory, latency, clients; readable on light and dark pages."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from bench.plot import STYLE

WIDTH, HEIGHT, LEFT, TOP, GAP = 920, 120, 64, 52, 44
POINTS = 240
_LINES = """
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.one { stroke: #0969da; } .two { stroke: #bc4c00; } .grid { stroke: #d1d9e0; }
.warm { fill: #818b98; fill-opacity: 0.15; }
tspan.one { fill: #0969da; stroke: none; } tspan.two { fill: #bc4c00; stroke: none; }
@media (prefers-color-scheme: dark) {
  .one { stroke: #58a6ff; } .two { stroke: #f0883e; } .grid { stroke: #3d444d; }
  tspan.one { fill: #58a6ff; } tspan.two { fill: #f0883e; }
}
"""


class Line(NamedTuple):
    """One line of a panel: its name, and a value a sample."""

    name: str
    values: Sequence[float]


class Panel(NamedTuple):
    """Up to two lines over the same time."""

    unit: str
    lines: Sequence[Line]


def svg(title: str, seconds: Sequence[float], warm_up_s: float, panels: Sequence[Panel]) -> str:
    """Return the picture; the part that did not count is shaded."""
    height = TOP + len(panels) * (HEIGHT + GAP)
    last = max(seconds, default=1.0) or 1.0
    parts = [f'<text class="title" x="16" y="24">{escape(title)}</text>']
    for number, panel in enumerate(panels):
        parts += _panel(panel, seconds, last, min(warm_up_s, last), TOP + number * (HEIGHT + GAP))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}"><style>{STYLE}{_LINES}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>{"".join(parts)}</svg>\n'
    )


def _panel(panel: Panel, seconds: Sequence[float], last: float, warm_up_s: float, top: int) -> list[str]:
    most = max((value for line in panel.lines for value in line.values), default=1.0) or 1.0
    width = WIDTH - LEFT - 16

    def x(second: float) -> float:
        return LEFT + width * second / last

    def y(value: float) -> float:
        return top + HEIGHT - (HEIGHT - 8) * value / most

    parts = [f'<rect class="warm" x="{LEFT}" y="{top}" width="{x(warm_up_s) - LEFT:.1f}" height="{HEIGHT}"/>']
    for share in (0.0, 0.5, 1.0):
        at = y(most * share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 16}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(
            f'<text class="quiet" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_short(most * share)}</text>'
        )
    for part in range(7):
        second = last * part / 6
        at_x, below = f"{x(second):.1f}", top + HEIGHT + 14
        parts.append(f'<text class="quiet" x="{at_x}" y="{below}" text-anchor="middle">{second / 60:.3g} min</text>')
    keys = []
    step = max(1, len(seconds) // POINTS)
    for name, line in zip(("one", "two"), panel.lines, strict=False):
        values = [max(line.values[start : start + step]) for start in range(0, len(line.values), step)]
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in zip(seconds[::step], values, strict=False))
        parts.append(f'<polyline class="{name}" points="{points}"/>')
        keys.append(f'<tspan class="{name}" dx="10">{escape(line.name)}</tspan>')
    parts.append(
        f'<text x="{LEFT - 10}" y="{top - 6}">{"".join(keys)}<tspan class="quiet" dx="8">{panel.unit}</tspan></text>'
    )
    return parts


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.3g}"


def panels(samples: Sequence[dict[str, Any]]) -> list[Panel]:
    """Return the panels of a run's samples."""

    def values(name: str, unit: float = 1.0) -> list[float]:
        return [sample.get(name, 0.0) / unit for sample in samples]

    return [
        Panel("MiB", [Line("memory of the server", values("rss_kib", 1024))]),
        Panel("ms", [Line("post to socket, p99", values("p99_ms")), Line("p50", values("p50_ms"))]),
        Panel(
            "a second",
            [Line("deliveries", values("deliveries_per_s")), Line("sessions opened", values("sessions_per_s"))],
        ),
        Panel("", [Line("clients connected", values("connected"))]),
        Panel("MB", [Line("database", values("database_bytes", 1e6)), Line("its log (WAL)", values("wal_bytes", 1e6))]),
    ]
