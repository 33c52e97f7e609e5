"""Rules of the tree that no linter knows: file lengths, names, and what must not be tracked."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_LINES = 400
CODE = {".py", ".ts", ".tsx", ".js", ".mjs", ".css", ".html", ".c"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "misc", "common"}
# A lock file that says where packages were downloaded from works on one network only.
REGISTRY = re.compile(r'"resolved": *"http|--(extra-)?index-url|https?://[^ ]*/(simple|packages)/')
LOCKED = re.compile(r"(package-lock\.json|requirements/.*\.txt|\.npmrc|\.toml)$")


def main() -> int:
    """Print each broken rule on a line; return 1 if there was any."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    complaints = []
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if not path.is_file():
            continue
        if path.suffix in CODE:
            lines = path.read_text().count("\n")
            if lines > MAX_LINES:
                complaints.append(f"{name}: {lines} lines, at most {MAX_LINES}: split it by what it does")
            if path.stem in FORBIDDEN_NAMES:
                complaints.append(f"{name}: name the file after what it holds")
        if LOCKED.search(name) and REGISTRY.search(path.read_text()):
            complaints.append(f"{name}: names a package registry")
    print("\n".join(complaints) or "tree: ok")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
