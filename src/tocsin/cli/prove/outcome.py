"""What came of one fault: the verdict on its journals, and what it promised itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tocsin.cli.prove.checker import Verdict
from tocsin.cli.prove.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of a fault besides the four counts, in words: met or not, and what was seen."""

    name: str
    is_met: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    One fault, done.

    Attributes:
        stack: What it hit, for people.
        kills: How often a node died of SIGKILL.
        retries: Posts that were repeated because no 2xx came.
        connects: Sessions that came as far as ``synced``.
        dropped: Events that came again and were not shown again.
        resyncs: Times that the server could not resume a cursor.
        gaps: Times that a client had to ask for what was missing between two events.
        rows: Notifications in all inboxes at the end, as REST counts them; None:
            it could not be asked.
        caught_up_s: Seconds from the end of the fault, or the last acknowledgement
            if that was later, until every client had shown everything. None: not
            within ``catch_up_limit_s``.
        failures: What ended by itself: a client that gave up, a producer that
            was refused, a fault that could not be carried out.
    """

    number: int
    title: str
    stack: str
    verdict: Verdict
    kills: int
    retries: int
    connects: int
    dropped: int
    resyncs: int
    gaps: int
    rows: int | None
    duration_s: float
    caught_up_s: float | None
    catch_up_limit_s: float
    timeline: Timeline
    checks: list[Check] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Return whether all counts are 0, nothing was wrong and every check is met."""
        return self.verdict.is_kept and not any(self.problems()) and all(check.is_met for check in self.checks)

    def problems(self) -> Iterator[str]:
        """Yield what was wrong besides the counts and the checks."""
        yield from self.failures
        if self.caught_up_s is None:
            yield f"not every client had caught up after {self.catch_up_limit_s:.0f} s"
        if self.rows is None:
            yield "the inboxes could not be counted"
        elif self.rows != self.verdict.acked:
            yield f"{self.verdict.acked} were acknowledged, {self.rows} are in the inboxes"
