"""
What systemd is told by a service of ``Type=notify`` (sd_notify(3), sd_watchdog_enabled(3)).

Without ``NOTIFY_SOCKET``, which systemd sets, nothing is told.
"""

import asyncio
import contextlib
import os
import socket
import time
from contextlib import AbstractContextManager

from tocsin.rest.repeat import repeated

_EXTEND_EVERY_S = 5.0
_EXTEND_S = 60


def extending() -> AbstractContextManager[None]:
    """
    Ask for more time, as long as the running loop turns.

    For what may take longer than ``TimeoutStartSec``, which is killed and begun again otherwise: a migration,
    or the replacement of many workers.
    """
    return repeated(lambda: notify(f"EXTEND_TIMEOUT_USEC={_EXTEND_S * 1_000_000}"), _EXTEND_EVERY_S)


def ready() -> None:
    """Tell that requests are answered, and from now on that the running loop turns, where ``WatchdogSec`` is set."""
    notify("READY=1")
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    # Workers inherit the variables; their supervisor is meant.
    if limit_us.isdigit() and os.environ.get("WATCHDOG_PID", "") in ("", str(os.getpid())):
        _beat(asyncio.get_running_loop(), int(limit_us) / 3e6)


def _beat(loop: asyncio.AbstractEventLoop, every_s: float) -> None:
    notify("WATCHDOG=1")
    loop.call_later(every_s, _beat, loop, every_s)


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
