"""
The inputs that are kept: a text file a target, a line of Base64 an input.

A folder of thousands of tiny files is what a fuzzer works in (``build/fuzz``);
what is checked in is the least of it that reaches the same code.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "tests" / "fuzz_corpus"
WORK = ROOT / "build" / "fuzz"
MAX_KEPT_BYTES = 12_000
"""Of one target's file; all files together stay below 200 kB."""


def read(name: str) -> list[bytes]:
    """Return the kept inputs of a target; none where there is no file."""
    path = KEPT / f"{name}.txt"
    return [b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(name: str, needed: Iterable[bytes], others: Iterable[bytes] = ()) -> None:
    """Keep inputs of a target, as many as its file may hold: first the needed ones, the shortest before others."""
    lines: list[str] = []
    room = MAX_KEPT_BYTES
    for inputs in (needed, others):
        for one in sorted(set(inputs), key=lambda data: (len(data), data)):
            line = b64encode(one).decode()
            if len(line) < room and line not in lines:
                lines.append(line)
                room -= len(line) + 1
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def spread(folder: Path, inputs: Sequence[bytes]) -> None:
    """Write each input into a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"kept-{number}").write_bytes(data)


def gather(folder: Path) -> list[bytes]:
    """Return what a fuzzer has left in a folder."""
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
