"""One fault over time as inline SVG: two lines, and a stroke for each of the fault's moments."""

import math
from collections import Counter
from collections.abc import Iterator
from html import escape

from tocsin.cli.prove.timeline import STEP_S, Timeline

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 28, 36
ROWS = 4
MAX_POINTS = 240
MAX_LABELS = 12
# Numbers of moments that are closer than this become one span.
LABEL_WIDTH = 24


def chart(timeline: Timeline, duration_s: float, name: str) -> str:
    """
    Return an ``<svg>`` of deliveries and acknowledgements a second.

    Colours are the page's: classes ``deliveries``, ``acks``, ``mark``, ``grid``.

    Args:
        timeline: What happened.
        duration_s: Where the time axis ends.
        name: What a screen reader says of it.
    """
    duration_s = max(duration_s, STEP_S)
    per_point = max(1, -(-int(duration_s / STEP_S) // MAX_POINTS))
    rates = [_rates(counts, duration_s, per_point) for counts in (timeline.deliveries, timeline.acks)]
    top = ROWS * _nice(max(1.0, *rates[0], *rates[1]) / ROWS)
    parts = [*_grid(duration_s, top), *_marks(timeline, duration_s)]
    for kind, rate in zip(("deliveries", "acks"), rates, strict=True):
        points = " ".join(
            f"{_x((index + 0.5) * per_point * STEP_S, duration_s):.1f},{_y(value, top):.1f}"
            for index, value in enumerate(rate)
        )
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
    parts += _readings(rates[0], rates[1], per_point * STEP_S, duration_s)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'


def _rates(counts: Counter[int], duration_s: float, per_point: int) -> list[float]:
    """Return the events a second of each point."""
    # The last step may be a part of one: it would show as a fall that was none.
    points = max(1, int(duration_s / STEP_S / per_point))
    rates = [0.0] * points
    for step, count in counts.items():
        if (point := step // per_point) < points:
            rates[point] += count / (per_point * STEP_S)
    return rates


def _x(at_s: float, duration_s: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(at_s / duration_s, 1.0)


def _y(rate: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / top


def _nice(value: float) -> float:
    """Return the least number of few digits that is no less than a value above 0."""
    unit = 10.0 ** math.floor(math.log10(value))
    return next(unit * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if unit * factor >= value)


def _grid(duration_s: float, top: float) -> Iterator[str]:
    for part in range(ROWS + 1):
        rate, y = top * part / ROWS, _y(top * part / ROWS, top)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="axis" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{rate:,.10g}</text>'
    step_s = _nice(duration_s / 10)
    for number in range(int(duration_s / step_s) + 1):
        at_s = number * step_s
        x, y = _x(at_s, duration_s), HEIGHT - BOTTOM + 18
        yield f'<text class="axis" x="{x:.1f}" y="{y}" text-anchor="middle">{at_s:.10g} s</text>'


def _marks(timeline: Timeline, duration_s: float) -> Iterator[str]:
    labels: list[tuple[float, int, int]] = []
    for number, (at_s, text) in enumerate(timeline.marks, start=1):
        x = _x(at_s, duration_s)
        yield f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
        yield f"<title>{at_s:.1f} s: {escape(text)}</title></line>"
        if labels and x - labels[-1][0] < LABEL_WIDTH:
            labels[-1] = (labels[-1][0], labels[-1][1], number)
        else:
            labels.append((x, number, number))
    if len(timeline.marks) <= MAX_LABELS:
        for x, first, last in labels:
            words = f"{first}" if first == last else f"{first}–{last}"
            yield f'<text class="number" x="{x:.1f}" y="{TOP - 8}" text-anchor="middle">{words}</text>'


def _readings(deliveries: list[float], acks: list[float], step_s: float, duration_s: float) -> Iterator[str]:
    """Yield a column for each point that tells its numbers under the pointer."""
    for index, (shown, acked) in enumerate(zip(deliveries, acks, strict=True)):
        x, end = _x(index * step_s, duration_s), _x((index + 1) * step_s, duration_s)
        yield f'<rect class="reading" x="{x:.1f}" width="{end - x:.2f}" y="{TOP}" height="{HEIGHT - TOP - BOTTOM}">'
        told = f"{index * step_s:.10g} s: {shown:,.0f} deliveries/s, {acked:,.0f} acknowledgements/s"
        yield f"<title>{told}</title></rect>"
