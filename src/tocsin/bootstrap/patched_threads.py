"""Finds out whether the threads of this process are greenlets: an event loop in one of them would stop them all."""

import sys


def find_patcher() -> str | None:
    """Return ``gevent`` or ``eventlet`` where one of them has replaced the threads of this process, or None."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None
