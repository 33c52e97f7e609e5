"""What is seen while faults run: a table that moves on a terminal, plain lines elsewhere."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tocsin.cli.prove.outcome import Outcome
from tocsin.cli.prove.report import caught_up
from tocsin.cli.prove.run import Proof

REFRESH_S = 0.25
LINES = 6


class Progress(Protocol):
    """Shows one fault after the other."""

    def say(self, text: str) -> None:
        """Show a line about the fault that is running."""

    def running(self, proof: Proof) -> contextlib.AbstractAsyncContextManager[None]:
        """Show a fault as running meanwhile."""

    def done(self, outcome: Outcome) -> None:
        """Show what came of it."""


def result(outcome: Outcome) -> str:
    """Return an outcome in a line."""
    counts = " · ".join(str(count.number) for _, count in outcome.verdict.counts())
    kept = "kept" if outcome.is_kept else "BROKEN"
    return f"{kept}: {outcome.verdict.acked:,} acknowledged, {counts}, caught up: {caught_up(outcome)}"


class Lines:
    """A line for everything, as a log has it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """Print it."""
        self._console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)

    @contextlib.asynccontextmanager
    async def running(self, proof: Proof) -> AsyncIterator[None]:
        """Print which fault begins."""
        self._console.print(f"fault {proof.fault.number}, {proof.fault.title}", markup=False, highlight=False)
        yield

    def done(self, outcome: Outcome) -> None:
        """Print the result."""
        self.say(result(outcome))


class Screen:
    """A table of the faults so far, the numbers of the running one, and its last lines."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._done: list[Outcome] = []
        self._lines: deque[str] = deque(maxlen=LINES)

    def say(self, text: str) -> None:
        """Show it below the table."""
        self._lines.append(text)

    @contextlib.asynccontextmanager
    async def running(self, proof: Proof) -> AsyncIterator[None]:
        """Draw the table again and again."""
        self._lines.clear()
        with self._live:
            drawing = asyncio.create_task(self._draw(proof))
            try:
                yield
            finally:
                drawing.cancel()

    def done(self, outcome: Outcome) -> None:
        """Keep the result in the table."""
        self._done.append(outcome)

    async def _draw(self, proof: Proof) -> None:
        while True:
            self._live.update(Group(self._table(proof), *(Text(line, "dim") for line in self._lines)), refresh=True)
            await asyncio.sleep(REFRESH_S)

    def _table(self, proof: Proof) -> Table:
        table = Table(box=None, padding=(0, 1), show_header=False)
        for outcome in self._done:
            style = "green" if outcome.is_kept else "bold red"
            table.add_row(str(outcome.number), outcome.title, Text(result(outcome), style))
        line = proof.timeline
        now = f"{line.now_s:.0f} s, {line.acks.total():,} acknowledged, {line.deliveries_per_s():,.0f} deliveries/s"
        table.add_row(str(proof.fault.number), proof.fault.title, Text(now, "bold"))
        return table


def progress(console: Console) -> Progress:
    """Return what suits the console."""
    return Screen(console) if console.is_terminal else Lines(console)
