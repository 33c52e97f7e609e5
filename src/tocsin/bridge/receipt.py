"""What becomes of one call: light, because there is one for each; waiting is paid for by who waits."""

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import orjson

from tocsin.application.ports import Draft
from tocsin.domain.errors import Overloaded
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamEvent

if TYPE_CHECKING:
    from tocsin.bridge.crossing import Bridge

# How often a thread that waits looks whether there still is a loop to answer it.
_LOOK_S = 1.0

_making_waiter = threading.RLock()


class Receipt:
    """
    What becomes of one call: done once it is committed, or refused for good.

    Safe from any thread. It need not be kept: what was handed over is carried
    out all the same.
    """

    __slots__ = ("_bridge", "_epoch", "_error", "_events", "_waiter", "draft", "handed_over_at", "is_done", "size")

    def __init__(self, bridge: "Bridge | None" = None, draft: Draft | None = None) -> None:
        self._bridge = bridge
        self._error: Exception | None = None
        self._events: Sequence[StreamEvent] = ()
        self._epoch = ""
        self._waiter: threading.Event | None = None
        self.draft = draft
        self.size = 0 if draft is None else _size(draft)
        self.handed_over_at = time.monotonic()
        self.is_done = draft is None

    @classmethod
    def nothing(cls) -> Self:
        """Return the receipt of a call that had nothing to commit."""
        return cls()

    def wait(self, timeout: float | None = None) -> list[dict[str, Any]]:
        """
        Return the events once they are committed, as ``GET /api/stream`` lists them, with user and namespace.

        Args:
            timeout: Seconds; None waits as long as there is a loop to answer.

        Raises:
            TimeoutError: The time is over; what was handed over is still on its way.
            TocsinError: It was refused, or the loop ended.
            RuntimeError: Called on the loop's own thread, which would wait for itself.
        """
        bridge = self._bridge
        if bridge is None:
            return []  # there was nothing to do
        if not self.is_done:
            bridge.refuse_on_loop("Receipt.wait()")
            self._wait(bridge, timeout)
        if self._error is not None:
            raise self._error
        return [one.addressed_record(self._epoch) for one in self._events]

    def _wait(self, bridge: "Bridge", timeout: float | None) -> None:
        with _making_waiter:
            waiter = self._waiter = self._waiter or threading.Event()
        end = None if timeout is None else time.monotonic() + timeout
        # Looked at after the waiter stands, as `settle` looks for a waiter after it is done: one sees the other.
        while not self.is_done:
            left = _LOOK_S if end is None else end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not committed after {timeout} s; it is still on its way")
            if not waiter.wait(min(left, _LOOK_S)) and bridge.is_dead():
                self.settle(error=Overloaded("the event loop ended; whether this was committed is not known"))

    def settle(self, events: Sequence[StreamEvent] = (), epoch: str = "", *, error: Exception | None = None) -> None:
        """Say what came of it and let go whoever waits; the first word counts."""
        if self.is_done:
            return
        self._events, self._epoch, self._error, self.draft = events, epoch, error, None
        self.is_done = True
        if self._waiter is not None:
            self._waiter.set()


def forget_threads() -> None:
    """Begin anew in a forked child: a thread that is not there may have held the lock."""
    global _making_waiter  # noqa: PLW0603
    _making_waiter = threading.RLock()


def _size(draft: Draft) -> int:
    if isinstance(draft, NotificationDraft):
        return len(draft.message) + (len(orjson.dumps(draft.data)) if draft.data else 0)
    if isinstance(draft, MessageDraft):
        return len(draft.message)
    return len(draft.payload)
