"""The Core of a process that serves nobody starts once, whatever comes in the middle of it."""

import asyncio
import errno
import os
import signal
import sqlite3
import threading

import pytest

from tocsin.bootstrap import Core
from tocsin.bridge import OwnBridge
from tocsin.domain.stream import EventDraft
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings


def draft(number: int) -> EventDraft:
    return EventDraft("/orders", "order_updated", (UserId("bob"),), b'{"n":%d}' % number)


class Interrupted(Exception):
    """Stands for the time limit of a task, which a signal handler raises."""


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "tocsin.db")


@pytest.fixture
def interrupted_core(path):
    """Make Cores of which the first sends its process a signal while it starts, and goes on when that is met."""
    is_met = threading.Event()
    made = []

    class InterruptedCore(Core):
        async def start(self) -> None:
            made.append(self)
            if len(made) == 1:
                os.kill(os.getpid(), signal.SIGUSR1)
                is_met.wait()  # so that the loop does not go on
            await super().start()

    def make() -> InterruptedCore:
        return InterruptedCore(Settings(database_url=f"sqlite:///{path}"))

    make.is_met = is_met
    make.made = made
    return make


@pytest.fixture
def on_signal():
    """Set the handler of the signal."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


def numbers(path: str) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [n for (n,) in connection.execute("SELECT payload ->> 'n' FROM tocsin_stream_event ORDER BY seq")]
    finally:
        connection.close()


def test_an_interrupted_call_leaves_one_core(path, interrupted_core, on_signal):
    """The next call takes over the start that an interrupted one has left, and the end closes it."""

    def interrupt(*_: object) -> None:
        interrupted_core.is_met.set()
        raise Interrupted

    on_signal(interrupt)
    own = OwnBridge(interrupted_core)
    with pytest.raises(Interrupted):
        own.hand_over(draft(1))
    own.hand_over(draft(2))
    own.halt()

    assert 1 == len(interrupted_core.made)
    assert "tocsin-bridge" not in {thread.name for thread in threading.enumerate()}
    assert [2] == numbers(path)


def test_an_interrupted_start_is_ended(interrupted_core, on_signal):
    """Also when no call follows: a fork must find no open database."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    on_signal(interrupt)
    own = OwnBridge(interrupted_core)
    with pytest.raises(Interrupted):
        own.hand_over(draft(1))
    interrupted_core.is_met.set()
    own.halt()

    assert "tocsin-bridge" not in {thread.name for thread in threading.enumerate()}


def test_a_signal_handler_publishes_in_the_middle_of_the_start(path, interrupted_core, on_signal):
    """It waits for the same Core."""
    own = OwnBridge(interrupted_core)

    def publish(*_: object) -> None:
        interrupted_core.is_met.set()
        own.hand_over(draft(2))

    on_signal(publish)
    own.hand_over(draft(1))
    own.halt()

    assert 1 == len(interrupted_core.made)
    assert [1, 2] == numbers(path)


def test_a_loop_that_can_not_be_made_is_told(path):
    """A process without a free file descriptor hears so, and the next call tries again."""
    failures = [OSError(errno.EMFILE, "too many open files")]

    def new_loop():
        if failures:
            raise failures.pop()
        return asyncio.new_event_loop()

    own = OwnBridge(lambda: Core(Settings(database_url=f"sqlite:///{path}")), new_loop)
    with pytest.raises(OSError, match="too many open files"):
        own.hand_over(draft(1))
    own.hand_over(draft(2))
    own.halt()

    assert [2] == numbers(path)
