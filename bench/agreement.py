"""
How far two runs agree: ``python -m bench.agreement OLD.json NEW.json``.

A ratio to Node, taken within each round, agrees when the ranges over the
rounds of both runs meet. So does a figure itself, which moves with the
machine; ratios and memory are what another day should find again.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import COLUMNS, REFERENCE


@dataclass(frozen=True, slots=True)
class Pair:
    """
    One figure of both runs, round by round.

    Attributes:
        what: Whose figure of what.
        is_ratio: Whether it is a ratio to Node rather than the figure itself.
        old: Each round's of the older run.
        new: And of the newer.
    """

    what: str
    is_ratio: bool
    old: list[float]
    new: list[float]

    @property
    def agrees(self) -> bool:
        """Return whether the ranges meet."""
        return max(min(self.old), min(self.new)) <= min(max(self.old), max(self.new))

    def __str__(self) -> str:
        return f"{self.what} {_range(self.old)}, then {_range(self.new)}"


def pairs(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Pair]:
    """Yield what both runs (``bench.json``) have measured."""
    titles = {column.key: column.title for column in COLUMNS}
    for peer, content in new["peers"].items():
        for column, figure in content["figures"].items():
            before = _rounds(old, peer, column)
            if not before:
                continue
            what = f"{content['title']}: {titles[column]}"
            yield Pair(what, False, before, figure["rounds"])
            references = _rounds(old, REFERENCE, column), _rounds(new, REFERENCE, column)
            if peer != REFERENCE and all(references):
                yield Pair(what, True, _ratios(before, references[0]), _ratios(figure["rounds"], references[1]))


def nearest(folder: Path, run: dict[str, Any]) -> Any:
    """Return the published run on the same processor, or the one of the table."""
    table, *others = (json.loads(path.read_text()) for path in (folder / "bench.json", *folder.glob("bench-*.json")))
    return next((old for old in (table, *others) if old["machine"]["cpu"] == run["machine"]["cpu"]), table)


def sentence(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return how many figures agree, and which ratios do not; empty where the plans differ in more than the rounds."""
    if old["plan"] | {"rounds": 0} != new["plan"] | {"rounds": 0}:
        return ""
    both = list(pairs(old, new))
    ratios = [pair for pair in both if pair.is_ratio]
    figures = [pair for pair in both if not pair.is_ratio]
    odd = "; ".join(str(pair) for pair in ratios if not pair.agrees)
    return (
        f"Beside the run of {old['date']} on {old['machine']['cpu']}: "
        f"of {len(ratios)} ratios to Node the ranges over the rounds meet in "
        f"{sum(pair.agrees for pair in ratios)}, of {len(figures)} figures themselves in "
        f"{sum(pair.agrees for pair in figures)}." + (f" Ratios apart: {odd}." if odd else "")
    )


def _rounds(run: dict[str, Any], peer: str, column: str) -> list[float]:
    rounds: list[float] = run["peers"].get(peer, {"figures": {}})["figures"].get(column, {"rounds": []})["rounds"]
    return rounds


def _ratios(own: list[float], reference: list[float]) -> list[float]:
    return [one / other for one, other in zip(own, reference, strict=False)]


def _range(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def main() -> int:
    """Compare two files; return 0."""
    old, new = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    print(sentence(old, new) or "the two runs had different plans")
    return 0


if __name__ == "__main__":
    sys.exit(main())
