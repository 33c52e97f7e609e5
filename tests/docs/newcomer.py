"""
A newcomer who follows the tutorial to the letter, with a watch: from the clone to their own notification in a browser.

    python -m tests.docs.newcomer                   a fresh clone, a fresh virtual environment, a real Chromium
    python -m tests.docs.newcomer --stand-ins       with what is installed already, as the tests do

Prints the seconds of each step, and the sum. Exits 1 with the step that does not work.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.reader import Reader, bare_environment, free_ports
from tests.docs.snippets import Snippet, snippets_of
from tests.docs.stand_ins import ROOT, stand_ins
from tests.docs.terminal import Failed

PAGE = ROOT / "docs/tutorial.md"
# Where the page says what is to be seen at last.
_SEEN = "Your kettle is on its way."
_INSTALL_S = 900


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, and how long it took."""

    what: str
    took_s: float
    is_notified: bool


def follow(folder: Path, *, with_stand_ins: bool) -> Iterator[Step]:
    """
    Do each step of the tutorial.

    Raises:
        Failed: One does not work; the message says which.
    """
    home = folder / "home"
    home.mkdir()
    env = bare_environment() | {"HOME": str(home)}
    env.pop("VIRTUAL_ENV", None)
    if with_stand_ins:
        env["PATH"] = stand_ins(folder / "bin")
    else:
        # Nothing of the environment that this script itself runs in.
        ours = str(Path(sys.executable).parent)
        env["PATH"] = os.pathsep.join(one for one in env["PATH"].split(os.pathsep) if one != ours)
    words = free_ports() | {"REPOSITORY": str(ROOT)}
    env["TOCSIN_PORT"] = words["8000"]
    with Reader(home, env, words, _INSTALL_S) as reader:
        # The browser is there before the newcomer is.
        reader.follow(Snippet("a browser", "browser", ""))
        for snippet in snippets_of(PAGE, ROOT):
            if snippet.file_name is not None:
                where, _ = reader.terminals.state()
                assert where.name == "shop", "files are saved in the folder shop"
            begun = time.monotonic()
            reader.follow(snippet)
            yield Step(
                _told(snippet), time.monotonic() - begun, snippet.language == "browser" and _SEEN in snippet.text
            )


def _told(snippet: Snippet) -> str:
    if snippet.file_name is not None:
        return f"save {snippet.file_name}"
    lines = snippet.text.strip().splitlines()
    told = {"browser": "look: ", "press": "press "}.get(snippet.language, "$ ")
    return f"{told}{lines[-1][:80]}{f' (and {len(lines) - 1} more)' if len(lines) > 1 else ''}"


def main() -> int:
    """Print a line for each step; return the exit status."""
    parser = argparse.ArgumentParser(description="Follow docs/tutorial.md to the letter, with a watch.")
    parser.add_argument("--stand-ins", action="store_true", help="install nothing: use what is there")
    with_stand_ins = parser.parse_args().stand_ins
    total = 0.0
    with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
        try:
            for step in follow(Path(folder), with_stand_ins=with_stand_ins):
                total += step.took_s
                print(f"{step.took_s:7.1f} s  {step.what}", flush=True)
                if step.is_notified:
                    print(f"{total:7.1f} s  from the clone to the first own notification in a browser", flush=True)
        except Failed as error:
            print(f"does not work: {error}", file=sys.stderr)
            return 1
    print(f"{total:7.1f} s  in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
