"""What a soak has to show, from its samples: pure, so that bad samples can test it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.soak.tally import Counts

TOLERANCE = 0.05
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


def flat(name: str, values: Sequence[float], unit: str) -> Judged:
    """
    Judge whether values stay where they are.

    The middle of the last third may be 5 % away from that of the first: a single
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
    return Judged(abs(change) <= TOLERANCE, text)


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
    wanted: float,
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
        wanted: Posts that the rate asks for.
        complaints: Lines of the log that should not be there.
        failures: What clients, readers and back ends could not do, by name.
    """
    settled = warm(samples, warm_up_s)
    failed = {name: number for name, number in failures.items() if number}
    return [
        flat("memory", [sample["rss_kib"] / 1024 for sample in settled], "MiB"),
        flat("objects of the garbage collector", [sample["objects"] for sample in settled], ""),
        flat("threads", [sample["threads"] for sample in settled], ""),
        Judged(
            counts.are_kept and acked > 0,
            f"{acked:,} acknowledged: lost {counts.lost}, shown twice {counts.twice}, "
            f"out of order {counts.misordered}, phantom {counts.phantom}",
        ),
        Judged(acked >= 0.99 * wanted, f"{acked / wanted:.1%} of the posts that the rate asks for"),
        Judged(not complaints, f"{len(complaints)} errors in the log"),
        Judged(not failed, f"failures: {failed or 'none'}"),
    ]
