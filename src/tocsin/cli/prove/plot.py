"""The proof as one HTML file that needs nothing else: no script, no other host."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from tocsin.cli.prove.chart import MAX_LABELS, chart
from tocsin.cli.prove.outcome import Outcome
from tocsin.cli.prove.report import COUNTS, caught_up

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fcfcfb; --ink: #1b1d21; --quiet: #5c6370; --line: #e3e4e6; --deliveries: #1f6fd0; --acks: #c4560c;
  --mark: #8a2f6b; --good: #1a7a3c; --bad: #c22a2a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181c; --ink: #e8e9ec; --quiet: #a2a8b3; --line: #30343b; --deliveries: #6aaef8; --acks: #f59a57;
    --mark: #e08cc2; --good: #5fca83; --bad: #ff7b72;
  }
}
body { margin: 2rem auto; max-width: 64rem; padding: 0 1rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2.5rem 0 0; }
p.sum { font-size: 1.1rem; } .quiet, .axis { color: var(--quiet); fill: var(--quiet); }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: 0.35rem 0.6rem; text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; }
figure { margin: 0.5rem 0; } svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; } .number { fill: var(--mark); }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.deliveries { stroke: var(--deliveries); } .acks { stroke: var(--acks); } .grid { stroke: var(--line); }
.mark { stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 3 3; } .reading { fill: transparent; }
.reading:hover { fill: var(--line); fill-opacity: 0.5; }
.key { display: inline-block; width: 1.5rem; border-top: 3px solid; vertical-align: middle; margin: 0 0.4rem 0 1rem; }
.key.deliveries { border-color: var(--deliveries); margin-left: 0; } .key.acks { border-color: var(--acks); }
.key.mark { border-color: var(--mark); border-top-style: dashed; }
details { font-size: 0.875rem; } ol { margin: 0.25rem 0; } ul { margin: 0; padding-left: 1rem; min-width: 18rem; }
"""
LEGEND = (
    '<p class="quiet"><span class="key deliveries"></span>deliveries a second, all clients together'
    '<span class="key acks"></span>acknowledgements a second, all producers together'
    '<span class="key mark"></span>what the fault did</p>'
)


def page(outcomes: Sequence[Outcome], omitted: Sequence[tuple[int, str, str]], at: datetime) -> str:
    """
    Return the whole page.

    Args:
        outcomes: Faults that were carried out, in order.
        omitted: Number, title and reason of those that do not apply.
        at: When the run began.
    """
    stack = outcomes[0].stack if outcomes else "nothing was run"
    body = [
        f"<h1>Tocsin: {'the promise was kept' if all(o.is_kept for o in outcomes) else 'the promise was broken'}</h1>",
        f'<p class="quiet">tocsin prove, {at:%Y-%m-%d %H:%M} UTC, {escape(stack)}</p>',
        f'<p class="sum">{_sum(outcomes)}</p>',
        LEGEND,
        *(part for outcome in outcomes for part in _figure(outcome)),
        "<h2>All faults</h2>",
        *_table(outcomes, omitted),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Tocsin: proof of {at:%Y-%m-%d}</title><style>{STYLE}</style><body>{''.join(body)}</body></html>\n"
    )


def _sum(outcomes: Sequence[Outcome]) -> str:
    acked = sum(outcome.verdict.acked for outcome in outcomes)
    totals = [0] * len(COUNTS)
    for outcome in outcomes:
        for place, (_, count) in enumerate(outcome.verdict.counts()):
            totals[place] += count.number
    words = " · ".join(
        f'<span class="{_class(total == 0)}">{total:,}</span> {name}'
        for total, name in zip(totals, COUNTS, strict=True)
    )
    return f"{acked:,} notifications acknowledged: {words}"


def _class(is_good: bool) -> str:
    return "good" if is_good else "bad"


def _figure(outcome: Outcome) -> Iterator[str]:
    yield f"<h2>{outcome.number}. {escape(outcome.title)}</h2><figure>"
    yield chart(outcome.timeline, outcome.duration_s, f"Deliveries and acknowledgements over time: {outcome.title}")
    yield "</figure>"
    marks = outcome.timeline.marks
    if marks:
        yield f"<details{' open' if len(marks) <= MAX_LABELS else ''}><summary>{len(marks)} moments</summary><ol>"
        yield from (f"<li>{at_s:.1f} s: {escape(text)}</li>" for at_s, text in marks)
        yield "</ol></details>"


def _table(outcomes: Sequence[Outcome], omitted: Sequence[tuple[int, str, str]]) -> Iterator[str]:
    heads = "".join(f'<th class="n" scope="col">{name}</th>' for name in ("acknowledged", *COUNTS, "caught up"))
    yield f'<div class="scroll"><table><thead><tr><th class="n" scope="col">#</th><th scope="col">fault</th>{heads}'
    yield '<th scope="col">its own checks</th></tr></thead><tbody>'
    rows = {outcome.number: "".join(_row(outcome)) for outcome in outcomes}
    for number, title, reason in omitted:
        rows[number] = (
            f'<tr><td class="n">{number}</td><td>{escape(title)}</td>'
            f'<td class="quiet" colspan="{len(COUNTS) + 3}">does not apply: {escape(reason)}</td></tr>'
        )
    yield from (rows[number] for number in sorted(rows))
    yield "</tbody></table></div>"


def _row(outcome: Outcome) -> Iterator[str]:
    yield f'<tr><td class="n">{outcome.number}</td><td>{escape(outcome.title)}</td>'
    yield f'<td class="n">{outcome.verdict.acked:,}</td>'
    for _, count in outcome.verdict.counts():
        yield f'<td class="n {_class(count.number == 0)}">{count.number}</td>'
    yield f'<td class="n {_class(outcome.caught_up_s is not None)}">{caught_up(outcome)}</td><td><ul>'
    for check in outcome.checks:
        word = "met" if check.is_met else "not met"
        yield f'<li><span class="{_class(check.is_met)}">{word}</span>: {escape(check.name)}'
        yield f"{f' ({escape(check.detail)})' if check.detail else ''}</li>"
    yield from (f'<li class="bad">{escape(problem)}</li>' for problem in outcome.problems())
    yield "</ul></td></tr>"
