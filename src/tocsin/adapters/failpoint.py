"""
Points at which a test may kill the process, to prove what survives.

``TOCSIN_FAILPOINT=name:N`` kills the process at the Nth pass of that point
with SIGKILL, which no handler sees: what a power cut is to a process. Without
the variable a pass costs one comparison.
"""

import os
import signal


class Failpoints:
    """
    The armed point of this process, if any. Belongs to one thread.

    Args:
        armed: ``name:N`` with N ≥ 1, or empty.

    Raises:
        ValueError: ``armed`` has another form.
    """

    def __init__(self, armed: str = "") -> None:
        name, _, count = armed.partition(":")
        if armed and not (name and count.isascii() and count.isdigit() and int(count)):
            raise ValueError(f"TOCSIN_FAILPOINT must be name:N with N of at least 1, not {armed!r}")
        self._name = name
        self._left = int(count or 0)

    def reach(self, name: str) -> None:
        """Pass a point; does not return when it is the armed one and its turn has come."""
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def from_environment() -> Failpoints:
    """Return the failpoints that ``TOCSIN_FAILPOINT`` arms."""
    return Failpoints(os.environ.get("TOCSIN_FAILPOINT", ""))
