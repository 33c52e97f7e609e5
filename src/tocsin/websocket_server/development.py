"""
Debug mode as ``flask run --debug`` has it: the debugger in the browser, and a new process at each change.

The watching and the debugger are werkzeug's. What runs is handed in.
"""

import _thread
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_RELOAD = 3
_CHILD = "WERKZEUG_RUN_MAIN"
_STOP_S = 15.0


def with_debugger(app: Any, hostname: str, *, evalex: bool = True) -> Any:
    """Return the WSGI application with werkzeug's debugger, guarded by its PIN and its trusted hosts."""
    from werkzeug.debug import DebuggedApplication  # noqa: PLC0415 only who debugs has it loaded

    debugged = DebuggedApplication(app, evalex=evalex)
    debugged.trusted_hosts.append(hostname)
    return debugged


def serve_with_reloader(serve: Callable[[], None], stop: Callable[[], None], **options: Any) -> None:
    """
    Run ``serve`` in a process of its own, and in a new one whenever a source file changes.

    At each change, and at SIGINT or SIGTERM, ``stop`` is called and the server
    comes to its end before its process does.

    Args:
        serve: Blocks until ``stop``; runs in a thread that is not the main one.
        stop: Called from another thread.
        options: Of werkzeug's reloader: ``extra_files``, ``exclude_patterns``, ``interval``, ``reloader_type``.

    Raises:
        SystemExit: In the watching process, at the end.
        BaseException: What ``serve`` raised.
    """
    if os.environ.get(_CHILD) == "true":
        _serve_and_watch(serve, stop, options)
    else:
        sys.exit(_supervise())


def _serve_and_watch(serve: Callable[[], None], stop: Callable[[], None], options: dict[str, Any]) -> None:
    from werkzeug._reloader import run_with_reloader  # noqa: PLC0415 only who debugs has it loaded

    failed: list[BaseException] = []

    def run() -> None:
        try:
            serve()
        except BaseException as error:  # noqa: BLE001 raised in the main thread
            failed.append(error)
            _thread.interrupt_main()

    thread = threading.Thread(target=run, name="tocsin-server", daemon=True)

    def start() -> None:
        # werkzeug would run this in a thread that nobody can wait for.
        thread.start()

    try:
        run_with_reloader(start, **options)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it stops already
        if thread.ident is not None:
            stop()
            thread.join(_STOP_S)
    if failed:
        raise failed[0]


def _supervise() -> int:
    """Start the serving process again and again; pass signals on, so that it stops by itself."""
    child: subprocess.Popen[bytes] | None = None
    is_stopping = False

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    while not is_stopping:
        child = subprocess.Popen(  # noqa: S603 this very command
            [sys.executable, *sys.orig_argv[1:]], env=os.environ | {_CHILD: "true"}, close_fds=False
        )
        code = child.wait()
        if code != _RELOAD:
            return code
    return 0
