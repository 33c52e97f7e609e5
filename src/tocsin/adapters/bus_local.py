"""The bus of a single process: a call. Other nodes need a bus over the network."""

from collections.abc import Callable, Sequence
from typing import Any

from tocsin.domain.stream import StreamEvent
from tocsin.domain.user_id import UserId


def _nobody(*_: object) -> None:
    """Stand in until a node subscribes: nobody is connected before that."""


class LocalBus:
    """
    Calls the handlers of this node at once, in commit order.

    Implements ``Bus``; all calls belong to the event loop's thread.
    """

    def __init__(self) -> None:
        self._on_events: Callable[[Sequence[StreamEvent]], None] = _nobody
        self._on_ephemeral: Callable[[UserId, str, str, dict[str, Any]], None] = _nobody

    def publish(self, events: Sequence[StreamEvent]) -> None:
        """Hand committed events to the node before returning."""
        self._on_events(events)

    def publish_ephemeral(self, user_id: UserId, namespace: str, event: str, payload: dict[str, Any]) -> None:
        """Hand an event that no stream keeps to the node before returning."""
        self._on_ephemeral(user_id, namespace, event, payload)

    def subscribe(
        self,
        on_events: Callable[[Sequence[StreamEvent]], None],
        on_ephemeral: Callable[[UserId, str, str, dict[str, Any]], None],
    ) -> None:
        """Set the two handlers, in place of earlier ones."""
        self._on_events = on_events
        self._on_ephemeral = on_ephemeral
