"""What a soak has to show, from its samples: pure, so that bad samples can test it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.soak.tally import Counts

TOLERANCE = 0.05
# Of objects: young ones come and go by thousands between two collections.
OBJECTS_TOLERANCE = 0.1
# Of the rate asked for: a server that does not keep up catches up later, and the same posts take longer.
RATE_SHARE = 0.98
_FEWEST = 4

Sample = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """
    One sentence about a soak.

    Attributes:
        is_good: Whether it is as it has to be.
        text: What was seen, with its number.
    """

    is_good: bool
    text: str


def flat(name: str, values: Sequence[float], unit: str, tolerance: float = TOLERANCE) -> Judged:
    """
    Judge whether values stay where they are.

    The middle of the last third may be that far away from that of the first: a single
    sample that falls into a round of retention is no leak, and a leak does not go back.
    """
    if len(values) < _FEWEST:
        return Judged(False, f"{name}: {len(values)} samples are too few")
    third = max(1, len(values) // 3)
    first, last = _middle(values[:third]), _middle(values[-third:])
    change = (last - first) / first if first else 0.0
    text = (
        f"{name} {first:,.0f} {unit}, then {last:,.0f} {unit} ({change:+.1%}; {min(values):,.0f} to {max(values):,.0f})"
    )
    return Judged(abs(change) <= tolerance, text)


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def warm(samples: Sequence[Sample], warm_up_s: float) -> list[Sample]:
    """Return the samples after the warm-up."""
    return [sample for sample in samples if sample["s"] >= warm_up_s]


def judge(
    samples: Sequence[Sample],
    warm_up_s: float,
    counts: Counts,
    *,
    acked: int,
    rates: tuple[float, float],
    complaints: Sequence[str],
    failures: Mapping[str, int],
) -> list[Judged]:
    """
    Return the sentences of a run.

    Args:
        samples: Of the server, in order; ``s`` is the second.
        warm_up_s: Seconds that do not count.
        counts: The four counts.
        acked: Posts acknowledged.
        rates: Posts a second: acknowledged, and asked for.
        complaints: Lines of the log that should not be there.
        failures: What clients, readers and back ends could not do, by name.
    """
    settled = warm(samples, warm_up_s)
    failed = {name: number for name, number in failures.items() if number}
    return [
        flat("memory", [sample["rss_kib"] / 1024 for sample in settled], "MiB"),
        flat("objects of the garbage collector", [sample["objects"] for sample in settled], "", OBJECTS_TOLERANCE),
        flat("threads", [sample["threads"] for sample in settled], ""),
        Judged(
            counts.are_kept and acked > 0,
            f"{acked:,} acknowledged: lost {counts.lost}, shown twice {counts.twice}, "
            f"out of order {counts.misordered}, phantom {counts.phantom}",
        ),
        Judged(rates[0] >= RATE_SHARE * rates[1], f"{rates[0]:,.0f} posts a second of {rates[1]:,.0f} asked for"),
        Judged(not complaints, f"{len(complaints)} errors in the log"),
        Judged(not failed, f"failures: {failed or 'none'}"),
    ]
