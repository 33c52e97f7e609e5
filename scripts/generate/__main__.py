"""
Write the files that are made from the code.

From the project's root:

    python -m scripts.generate            writes them
    python -m scripts.generate --check    exits 1 when one would change
"""

import argparse
import sys
from pathlib import Path

from scripts.generate import event_types, metrics_page, reference

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Write the files, or compare them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description="Write what is made from the code.")
    parser.add_argument("--check", action="store_true", help="exit 1 when a file is out of date")
    is_check = parser.parse_args().check
    status = 0
    for part in (event_types, metrics_page, reference):
        for name, text in part.files().items():
            target = ROOT / name
            if target.is_file() and target.read_text(encoding="utf-8") == text:
                continue
            if is_check:
                print(f"{name} is out of date: run python -m scripts.generate", file=sys.stderr)
                status = 1
            else:
                target.write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
