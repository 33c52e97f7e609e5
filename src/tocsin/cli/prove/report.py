"""The proof in words: a table of all faults, and what went wrong with examples."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tocsin.cli.prove.outcome import Outcome

COUNTS = ("lost", "twice", "out of order", "phantom")


def caught_up(outcome: Outcome) -> str:
    """Return how long the clients took, for people."""
    if outcome.caught_up_s is None:
        return f"not in {outcome.catch_up_limit_s:.0f} s"
    return f"{outcome.caught_up_s:.1f} s"


def report(outcomes: Sequence[Outcome], omitted: Sequence[tuple[int, str, str]]) -> RenderableType:
    """
    Return the table and, below it, every problem.

    Args:
        outcomes: Faults that were carried out.
        omitted: Number, title and reason of those that do not apply.
    """
    stacks = ", ".join(sorted({outcome.stack for outcome in outcomes}))
    table = Table(title=f"tocsin prove: {stacks}", title_justify="left", caption=_sum(outcomes), caption_justify="left")
    table.add_column("#", justify="right")
    table.add_column("fault")
    for name in ("acked", *COUNTS, "caught up", "own checks"):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        table.add_row(*_row(outcome))
    left_out = [Text(f"{number}, {title}: does not apply: {reason}", "dim") for number, title, reason in omitted]
    return Group(table, *left_out, *(part for outcome in outcomes for part in details(outcome)))


def _row(outcome: Outcome) -> list[RenderableType]:
    met = sum(check.is_met for check in outcome.checks)
    return [
        str(outcome.number),
        outcome.title,
        f"{outcome.verdict.acked:,}",
        *(_good(count.number == 0, str(count.number)) for _, count in outcome.verdict.counts()),
        _good(outcome.caught_up_s is not None, caught_up(outcome)),
        _good(met == len(outcome.checks) and not list(outcome.problems()), f"{met} of {len(outcome.checks)}"),
    ]


def _good(is_good: bool, text: str) -> Text:
    return Text(text, "green" if is_good else "bold red")


def _sum(outcomes: Sequence[Outcome]) -> str:
    broken = [str(outcome.number) for outcome in outcomes if not outcome.is_kept]
    took_s = sum(outcome.duration_s for outcome in outcomes)
    if not outcomes:
        return "Nothing was carried out."
    kept = f"The promise was broken by fault {', '.join(broken)}" if broken else "The promise was kept"
    return f"{kept}; {took_s:.0f} s under load."


def details(outcome: Outcome) -> list[RenderableType]:
    """Return what was wrong with an outcome, a line each; nothing if it was kept."""
    lines = [f"{check.name}: {check.detail or 'not met'}" for check in outcome.checks if not check.is_met]
    lines += outcome.problems()
    for name, count in outcome.verdict.counts():
        lines += [f"{name}: {example}" for example in count.examples]
    return [Text(f"fault {outcome.number}: {line}", "red") for line in lines]
