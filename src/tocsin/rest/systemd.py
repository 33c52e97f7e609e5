"""
What systemd is told by a service of ``Type=notify-reload`` (sd_notify(3)).

Without ``NOTIFY_SOCKET``, which systemd sets, nothing is told.
"""

import contextlib
import os
import socket
import time


def notify(state: str) -> None:
    """Tell the service manager, as ``READY=1`` or ``STOPPING=1``; never raises, never waits."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        # An abstract socket of Linux.
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.sendto(state.encode(), address)


def notify_reloading() -> None:
    """Tell that a reload has begun; ``READY=1`` ends it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000}")
