"""
Fuzz the targets one after the other: ``python -m fuzz --minutes 10``, or with names of targets.

``live`` is not one of bytes: mutated sessions against a real server.

Each goes on from what was kept. What reached new code is kept again, the least
of it; the folder of all inputs (``build/fuzz``) goes on next time. Exits with 1
when something was found: the input stands beside the folders.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from fuzz import corpus, live
from fuzz.target import NAMES, load
from fuzz.tracing import Step, Tracer, least

_STAT = re.compile(r"stat::number_of_executed_units: +(\d+)")
_TRACED_S = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of one target.

    Attributes:
        executions: Inputs tried.
        seconds: How long.
        steps: Lines and branches of the watched modules that the kept inputs run.
        lines: Different lines of them.
        of_lines: Lines in functions of the watched modules.
        kept: Inputs kept.
        found: The file of the input that broke something.
    """

    name: str
    executions: int
    seconds: float
    steps: int
    lines: int
    of_lines: int
    kept: int
    found: str | None


def fuzz(name: str, seconds: int) -> tuple[int, str | None]:
    """Run one target in a process of its own; return the inputs tried, and the file of the one that broke it."""
    folder = corpus.WORK / name
    corpus.spread(folder, [*load(name).seeds, *corpus.read(name)])
    log = corpus.WORK / f"{name}.log"
    before = set(corpus.WORK.glob(f"{name}-*"))
    with log.open("wb") as output:
        command = [sys.executable, "-m", "fuzz.drive", name, str(folder), str(seconds)]
        subprocess.run(command, stdout=output, stderr=output, check=False, cwd=corpus.ROOT)
    told = log.read_text(errors="replace")
    tried = _STAT.search(told)
    found = sorted(str(path.relative_to(corpus.ROOT)) for path in set(corpus.WORK.glob(f"{name}-*")) - before)
    if tried is None and not found:
        raise RuntimeError(f"{name} did not run: {told[-2_000:]}")
    return int(tried[1]) if tried else 0, found[0] if found else None


def traced(name: str) -> tuple[dict[bytes, set[Step]], int]:
    """Return the steps of each input of a target's folder, and how many lines its modules have."""
    target = load(name)
    tracer = Tracer(target.modules())
    # Once without: what is done on first use is no input's merit.
    for data in target.seeds:
        target.run(data)
    until = time.monotonic() + _TRACED_S
    found: dict[bytes, set[Step]] = {}
    for data in sorted({*target.seeds, *corpus.read(name), *corpus.gather(corpus.WORK / name)}, key=len):
        if time.monotonic() > until:
            break
        found[data] = tracer.steps(lambda data=data: target.run(data))  # type: ignore[misc]
    target.close()
    return found, tracer.lines


def keep(name: str) -> tuple[int, int, int, int]:
    """Keep the least; return the steps, the lines, the lines there are, and how many inputs were kept."""
    steps, of_lines = traced(name)
    # The others told the fuzzer something that lines do not tell: counts, and values compared.
    corpus.write(name, least(steps), steps)
    kept = corpus.read(name)
    reached = set().union(*(steps[data] for data in kept)) if kept else set()
    return len(reached), len({(file, line) for file, _, line in reached}), of_lines, len(kept)


def main() -> int:
    """Fuzz, keep, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=(*NAMES, "live"), default=(*NAMES, "live"))
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what live draws")
    arguments = parser.parse_args()
    corpus.WORK.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    is_live_good = True
    print(
        "| target | executions | per second | lines reached | kept inputs | found |\n|---|--:|--:|--:|--:|---|",
        flush=True,
    )
    for name in arguments.targets:
        if name == "live":
            is_live_good = live.main(arguments.minutes, arguments.seed)
            continue
        begun = time.monotonic()
        executions, found = fuzz(name, round(arguments.minutes * 60))
        seconds = time.monotonic() - begun
        if found is None:
            outcome = Outcome(name, executions, seconds, *keep(name), found)
            outcomes.append(outcome)
        else:
            outcomes.append(outcome := Outcome(name, executions, seconds, 0, 0, 0, len(corpus.read(name)), found))
        print(_row(outcome), flush=True)
        (corpus.WORK / "outcomes.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=2))
    return not is_live_good or any(outcome.found for outcome in outcomes)


def _row(outcome: Outcome) -> str:
    reached = f"{outcome.lines} of {outcome.of_lines}"
    pace = outcome.executions / max(outcome.seconds, 1e-9)
    return (
        f"| {outcome.name} | {outcome.executions:,} | {pace:,.0f} | {reached} | {outcome.kept} | "
        f"{outcome.found or 'nothing'} |"
    )


if __name__ == "__main__":
    sys.exit(main())
