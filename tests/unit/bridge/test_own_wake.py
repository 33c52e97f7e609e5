"""A process that serves nobody wakes other nodes after a commit of its host, if they can hear it."""

import threading

import pytest

from tocsin.bridge import OwnBridge
from tocsin.domain.stream import StreamKey

KEY = StreamKey("7", "/orders")
OTHER = StreamKey("8", "/orders")


class FakeCore:
    """Counts what is opened, and tells what its bus was asked to wake."""

    opened = 0

    def __init__(self, woken, can_start=None):
        self.bus = self
        self._woken = woken
        self._can_start = can_start

    async def start(self):
        type(self).opened += 1
        if self._can_start is not None and not self._can_start:
            raise OSError("no database")

    async def stop(self):
        pass

    def wake(self, keys):
        self._woken.append(tuple(keys))

    def publish_ephemeral(self, *event):
        self._woken.append(event)


@pytest.fixture(autouse=True)
def _anew():
    FakeCore.opened = 0


def finish(own):
    """Wait for the thread that wakes, then end the Core."""
    for thread in threading.enumerate():
        if thread.name == "tocsin-waker":
            thread.join()
    own.halt()


def test_a_core_is_opened_to_wake_who_can_hear():
    """Once, whatever is committed meanwhile, and each key is passed on."""
    woken = []
    own = OwnBridge(lambda: FakeCore(woken), is_heard=lambda: True)
    own.wake([KEY])
    own.wake([OTHER, KEY])
    finish(own)

    assert {KEY, OTHER} == {key for keys in woken for key in keys}
    assert 1 == FakeCore.opened


def test_no_core_is_opened_where_nobody_hears():
    """The sweep of the nodes tells; whether somebody hears is asked once."""
    asked = []
    own = OwnBridge(lambda: FakeCore([]), is_heard=lambda: bool(asked.append(1)))
    own.wake([KEY])
    own.wake([KEY])
    finish(own)

    assert ([1], 0) == (asked, FakeCore.opened)


def test_a_core_that_can_not_start_is_logged(caplog):
    """The commit stands, and the next one tries again."""
    own = OwnBridge(lambda: FakeCore([], can_start=False), is_heard=lambda: True)
    for opened in (1, 2):
        own.wake([KEY])
        finish(own)
        assert opened == FakeCore.opened

    assert "other nodes were not woken" in caplog.text


@pytest.mark.parametrize(("is_heard", "lines"), [(False, 1), (True, 0)])
def test_a_live_event_that_nobody_can_hear_is_told_once(caplog, is_heard, lines):
    """It is no error, as every live event may be missed, and no line of the log for each."""
    own = OwnBridge(lambda: FakeCore([]), is_heard=lambda: is_heard)
    own.emit(None, "/sns", "feed_changed", {})
    own.emit(None, "/sns", "feed_changed", {})
    finish(own)

    assert lines == sum("without TOCSIN_REDIS_URL" in record.getMessage() for record in caplog.records)
