"""Percentiles of millions of latencies in little memory."""

import math
from collections import Counter
from collections.abc import Iterable

_RATIO = 1.03
_LOG = math.log(_RATIO)
_LEAST_MS = 0.01


class Histogram:
    """
    Counts latencies in classes that are 3 % wide; what it tells is off by no more.

    Args:
        counts: Of another one, to begin with.
    """

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self.counts = Counter(dict(counts))

    def add(self, latency_ms: float) -> None:
        """Count one latency."""
        self.counts[math.ceil(math.log(max(latency_ms, _LEAST_MS) / _LEAST_MS) / _LOG)] += 1

    def merge(self, other: "Histogram") -> None:
        """Count what another one has counted."""
        self.counts.update(other.counts)

    def percentile(self, share: float) -> float:
        """Return the milliseconds that this share of all does not exceed; 0 where there are none."""
        rest = math.ceil(share * self.counts.total())
        for place in sorted(self.counts):
            rest -= self.counts[place]
            if rest <= 0:
                return float(_LEAST_MS * _RATIO**place)
        return 0.0
