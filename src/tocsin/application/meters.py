"""
What use-cases and adapters count with: plain numbers, read by whoever shows them.

A counter is an ``int`` or a ``Counter`` of its owner; what needs more is here.
What the numbers are called outside, and how they are shown, is ``tocsin.metrics``'s.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of what takes a moment."""

SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)
"""Upper bounds of what is taken together."""


class Histogram:
    """
    How often a value was in which range. One thread may write, any may read.

    Args:
        bounds: The upper bounds of the ranges, ascending, each in its range.

    Attributes:
        counts: By range; the last is for what is above all bounds.
        total: The sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def buckets(self) -> Iterator[tuple[float, int]]:
        """Yield each bound, infinity last, with how many values were not above it."""
        below = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            below += count
            yield bound, below

    def quantile(self, share: float) -> float:
        """Return about how high the value is that ``share`` (0 to 1) of all are not above; 0 without any value."""
        wanted = share * self.count
        lower = 0.0
        before = 0
        for bound, below in self.buckets():
            if below >= wanted and below > before:
                if bound == float("inf"):
                    return lower
                return lower + (bound - lower) * (wanted - before) / (below - before)
            lower, before = bound, below
        return 0.0
