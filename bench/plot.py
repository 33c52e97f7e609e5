"""
The figures of a run as one SVG: a small bar chart a column, readable on light and dark pages.

No scripts, no fonts of its own; the numbers are text, so the picture can be searched and read aloud.
"""

from html import escape

from bench.report import Column, Results, number

WIDTH, CHARTS_A_ROW = 920, 2
CHART_WIDTH, LABEL_WIDTH, VALUE_WIDTH = WIDTH // CHARTS_A_ROW, 158, 112
BAR, GAP, HEAD, MARGIN = 15, 6, 30, 16

STYLE = """
svg { font: 12px system-ui, sans-serif; }
.paper { fill: #ffffff; } text { fill: #1f2328; } .quiet { fill: #59636e; }
.title { font-weight: 600; font-size: 13px; }
.bar { fill: #afb8c1; } .own { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; } text { fill: #e6edf3; } .quiet { fill: #9198a1; }
  .bar { fill: #454c54; } .own { fill: #58a6ff; }
}
"""


def svg(results: Results) -> str:
    """Return the plot; Tocsin's bars are coloured, values stand beside every bar."""
    shapes: list[str] = []
    top = 52
    columns = results.columns
    for row in range(0, len(columns), CHARTS_A_ROW):
        heights = [
            _chart(shapes, results, column, MARGIN + place * CHART_WIDTH, top)
            for place, column in enumerate(columns[row : row + CHARTS_A_ROW])
        ]
        top += max(heights) + 14
    head = (
        f'<text class="title" x="{MARGIN}" y="24">Tocsin and its peers, one core, '
        f"{results.plan.connections:,} connections, medians of {results.plan.rounds} rounds</text>"
        f'<text class="quiet" x="{MARGIN}" y="41">x = ratio to Node socket.io in the same run; '
        "the guide's stack holds at most 1,000 connections</text>"
    )
    size = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" '
        f'aria-label="Benchmark of Tocsin against its peers"><style>{STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{top}"/>{head}{"".join(shapes)}</svg>\n'
    )


def _chart(shapes: list[str], results: Results, column: Column, left: int, top: int) -> int:
    measured = [(peer, value) for peer in results.peers if (value := results.median(peer.key, column.key)) is not None]
    most = max(value for _, value in measured) or 1
    better = "less is better" if column.less_is_better else "more is better"
    shapes.append(
        f'<text x="{left}" y="{top + 14}"><tspan class="title">{escape(column.title)}</tspan>'
        f'<tspan class="quiet" dx="8">{better}</tspan></text>'
    )
    room = CHART_WIDTH - LABEL_WIDTH - VALUE_WIDTH - MARGIN
    for place, (peer, value) in enumerate(measured):
        y = top + HEAD + place * (BAR + GAP)
        middle = y + BAR - 3
        width = max(1.0, room * value / most)
        kind = "own" if peer.title.startswith("Tocsin") else "bar"
        ratio = results.ratio(peer.key, column.key)
        compared = f"  {ratio:.2f}x" if ratio is not None and peer.key != "node" else ""
        shapes.append(
            f'<text x="{left + LABEL_WIDTH - 8}" y="{middle}" text-anchor="end">{escape(peer.title)}</text>'
            f'<rect class="{kind}" x="{left + LABEL_WIDTH}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
            f'<text x="{left + LABEL_WIDTH + width + 6:.1f}" y="{middle}">{number(value)}'
            f'<tspan class="quiet" xml:space="preserve">{compared}</tspan></text>'
        )
    return HEAD + len(measured) * (BAR + GAP)
