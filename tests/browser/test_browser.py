"""
Runs the browser tests, a file at a time: Node's test runner drives Chromium against ``tocsin demo``.

What is tested stands in the ``*.test.mjs`` files. ``CHROMIUM_PATH`` names another
Chromium than the one inside the npm packages.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_page(file: str) -> None:
    """The page does in a browser what the file says."""
    command = ["node", "--test", "--test-reporter=spec", file]
    env = {**os.environ, "TOCSIN": str(Path(sys.executable).with_name("tocsin"))}

    done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, timeout=400, check=False)

    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
