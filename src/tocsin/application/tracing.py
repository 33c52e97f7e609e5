"""
Traces of single events, from the request that made them to the ack of a device: the port.

Nobody has it unless traces are wanted, so that each place that knows of it asks
``is not None`` first. What is followed is kept in memory alone, and for a while: an
event that is delivered after a restart, or days later, has no trace any more.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tocsin.domain.stream import StreamEvent, StreamKey

Origin = object
"""Where in a trace something was asked for; only the tracing that gave it knows what it is."""

Ended = Callable[[str, int], None]
"""Told the template of a request's route and the status of its answer."""


class Tracing(Protocol):
    """
    Follows what is sampled. Belongs to the event loop's thread; never waits and never fails.

    Instants are nanoseconds since 1970.
    """

    def request(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[Ended]:
        """Follow a request, as its ``traceparent`` says (W3C Trace Context) or by chance."""

    def client_event(self, namespace: str, event: str) -> AbstractContextManager[None]:
        """Follow what a client asked for over its socket."""

    def origin(self) -> Origin | None:
        """Return where the running task is in a trace; None if that is not followed."""

    def committed(self, origin: Origin, asked_at: int, events: Sequence[StreamEvent], together: int) -> None:
        """
        Take note of a commit, before its events go anywhere.

        Args:
            origin: Of who asked for it.
            asked_at: When.
            events: What came of it.
            together: Operations that shared the transaction.
        """

    def carry(self, event: StreamEvent) -> str | None:
        """Return the ``traceparent`` that goes with an event to other nodes; None if it is not followed."""

    def carried(self, event: StreamEvent, traceparent: str) -> None:
        """Take note of an event of another node, and where it is in its trace."""

    def emitted(self, event: StreamEvent, begun_at: int, sockets: int, *, is_live: bool) -> None:
        """Take note of an event that has been given to sockets, live or from the log."""

    def acked(self, key: StreamKey, seq: int) -> None:
        """Take note that a device has a stream up to there."""

    def pushed(self, notification_id: str, channel: str, begun_at: int, results: Sequence[str]) -> None:
        """Take note of what a provider answered for each target of a notification."""

    async def stop(self) -> None:
        """Pass on what is known, for some seconds at most."""
