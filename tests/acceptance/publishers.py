"""Scripts that publish in a process of their own, and what the log of their database holds afterwards."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PREAMBLE = """
import json, multiprocessing, os, signal, sys, threading, time
from tocsin.bootstrap import bridge_here
from tocsin.domain.stream import EventDraft

def publish(user_id, number):
    draft = EventDraft("/orders", "order_updated", (user_id,), b'{"order_id":%d}' % number)
    return bridge_here().hand_over(draft)
"""
DEADLINE_S = 60


def start(code: str, database: Path, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PREAMBLE + code],
        env=clean | {"TOCSIN_DATABASE_URL": f"sqlite:///{database}"} | environment,
        cwd=database.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(code: str, database: Path, **environment: str) -> str:
    """Run a script to its end and return what it prints; nothing may go wrong."""
    process = start(code, database, **environment)
    try:
        out, err = process.communicate(timeout=DEADLINE_S)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert (0, "") == (process.returncode, err)
    return out


def wait_until(is_so: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not is_so():
        if worker.poll() is not None or time.monotonic() > end:
            raise AssertionError("the worker did not do its tasks")
        time.sleep(0.05)


def logged(database: Path) -> dict[str, list[int]]:
    """Return the order ids in each user's stream, in the order of the log."""
    streams: dict[str, list[int]] = {}
    connection = sqlite3.connect(database)
    try:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        for user_id, order_id in connection.execute(
            "SELECT user_id, payload ->> 'order_id' FROM tocsin_stream_event ORDER BY user_id, seq"
        ):
            streams.setdefault(user_id, []).append(order_id)
    finally:
        connection.close()
    return streams
