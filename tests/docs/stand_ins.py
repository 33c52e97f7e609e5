"""
Stand-ins for what fetches from elsewhere: what they would install is looked for among what is installed already.

``pip`` refuses a package or an extra that there is not, ``git clone`` makes an empty folder, and a virtual
environment that ``python3 -m venv`` makes is the one of the tests.
"""

import os
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

_PIP = """#!{python}
import re, sys
from importlib.metadata import version
EXTRAS = {extras!r}
for one in sys.argv[2:]:
    name, bracket, extras = one.partition("[")
    if name.endswith("tocsin") or name == ".":
        missing = set(extras.rstrip("]").split(",")) - EXTRAS if bracket else ()
        sys.exit(f"Tocsin has no extra {{missing}}") if missing else None
    elif not one.startswith("-"):
        version(re.split("[<>=]", name)[0])
assert sys.argv[1] == "install", sys.argv
"""
_GIT = """#!/bin/sh
[ "$1" = clone ] && [ $# -eq 3 ] && mkdir "$3"
"""
_PYTHON3 = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin" && echo "export VIRTUAL_ENV=$PWD/$3" >"$3/bin/activate"
else
  exec {python} "$@"
fi
"""


def stand_ins(folder: Path) -> str:
    """Make them in a folder; return the PATH on which they come first."""
    folder.mkdir()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"])
    programs = {
        "pip": _PIP.format(python=sys.executable, extras=extras),
        "git": _GIT,
        "python3": _PYTHON3.format(python=sys.executable),
    }
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
