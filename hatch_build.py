"""Bundles the browser part into the wheel: runs the web build unless its output is up to date."""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs ``npm ci`` and ``npm run build`` in ``web/`` before a wheel is packed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 hatchling's signature
        """Build ``src/tocsin/static``; an editable install builds it apart (``scripts/setup``)."""
        root = Path(self.root)
        if version == "editable" or is_built(root):
            return
        for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
            subprocess.run(command, cwd=root / "web", check=True)  # noqa: S603 fixed commands


def is_built(root: Path) -> bool:
    """Return whether the output is there and no source is younger: pip builds in the checkout, which may be pulled."""
    output = root / "src/tocsin/static/js/websocket.js"
    sources = [path for pattern in ("*.*", "src/**/*", "demo/**/*") for path in (root / "web").glob(pattern)]
    return output.exists() and all(path.stat().st_mtime <= output.stat().st_mtime for path in sources if path.is_file())
