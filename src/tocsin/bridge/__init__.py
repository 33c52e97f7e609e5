"""
From any thread to the event loop: the one crossing, and the one global.

``Bridge`` carries what sync code publishes to the loop of the service in this
process; ``OwnBridge`` does it in a process that serves no sockets, with a Core
of its own. ``bootstrap.bridge_here`` picks the one to use.

A process may fork at any time. No SQLite connection may cross that: an own Core
is ended before, and each side opens one again when it publishes. A service
can't be ended for it: its child gets no bridge.
"""

import atexit

# Before the hooks below: a fork runs the latest hook first, and ours still needs this one's threads.
import concurrent.futures.thread  # noqa: F401
import ctypes
import os
import threading
from collections.abc import Callable

from tocsin.bridge import receipt
from tocsin.bridge.crossing import Bridge
from tocsin.bridge.own import OwnBridge
from tocsin.bridge.receipt import Receipt
from tocsin.domain.errors import NotInitialized

__all__ = ["Bridge", "OwnBridge", "Receipt", "attach", "detach", "find", "halt_own", "own"]

_attached: list[Bridge] = []
_own: OwnBridge | None = None
_making_own = threading.RLock()
_is_child_of_service = False


def attach(bridge: Bridge) -> None:
    """Make this the bridge of the process; the one attached last is used."""
    _attached.append(bridge)


def detach(bridge: Bridge) -> None:
    """Take it back; the one attached before it, if any, is used again."""
    if bridge in _attached:
        _attached.remove(bridge)


def find() -> Bridge | None:
    """Return the bridge of the service that runs in this process, or None."""
    return _attached[-1] if _attached else None


def own(make: Callable[[], OwnBridge]) -> OwnBridge:
    """
    Return the bridge of a process that serves no sockets, made once.

    Raises:
        NotInitialized: The process was forked from one that serves, or without the hooks of Python
            from one that has published.
    """
    global _own  # noqa: PLW0603 the one global, with the service's
    if _is_child_of_service:
        raise NotInitialized(
            "this process was forked from a serving one, and an SQLite database does not survive that: "
            'start it afresh, as with multiprocessing.get_context("spawn")'
        )
    made = _own
    if made is None:
        with _making_own:
            made = _own = find_own() or make()
    elif made.is_inherited():
        raise NotInitialized(
            "this process was forked, without Python's hooks, from one that had published, and an SQLite database "
            "does not survive that: publish nothing before the fork; under uWSGI set lazy-apps = true"
        )
    return made


def find_own() -> OwnBridge | None:
    """Return it if it was made already."""
    return _own


def halt_own() -> None:
    """Commit what waits and close the database, if an own Core is open; the next call opens one again."""
    if _own is not None:
        _own.halt()


def _before_fork() -> None:
    _making_own.acquire()
    if _own is not None:
        _own.changing.acquire()
        _own.halt()


def _after_fork_in_parent() -> None:
    if _own is not None:
        _own.changing.release()
    _making_own.release()


def _after_fork_in_child() -> None:
    global _own, _making_own, _is_child_of_service  # noqa: PLW0603
    for bridge in _attached:
        bridge.lose()
        # For ever: an SQLite connection of the parent must not be closed here, not even at exit.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(bridge.core))
        _is_child_of_service = True
    _attached.clear()
    _own = None
    # Threads that do not exist here may have held it.
    _making_own = threading.RLock()
    receipt.forget_threads()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
# Late at exit, after the handlers of a host that was imported later: they may still publish.
atexit.register(halt_own)
