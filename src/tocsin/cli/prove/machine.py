"""What this machine lets a fault do."""

import os
import shutil
import subprocess
from functools import cache


@cache
def abilities() -> frozenset[str]:
    """Return ``root`` and ``netns`` (network namespaces), where the machine has them."""
    if os.geteuid() != 0:
        return frozenset()
    return frozenset({"root", "netns"} if _has_namespaces() else {"root"})


def _has_namespaces() -> bool:
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None:
        return False
    # A link up in a namespace of its own is all that faults of the network are made of.
    command = [unshare, "--net", ip, "link", "set", "lo", "up"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words
