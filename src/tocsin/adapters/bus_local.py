"""The bus of a single process: a call. Other nodes need a bus over the network."""

from collections.abc import Collection, Sequence
from typing import Any

from tocsin.application.ports import OnEphemeral, OnEvents, OnGap, OnWake
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId


def _nobody(*_: object) -> None:
    """Stand in until a node subscribes: nobody is connected before that."""


class LocalBus:
    """
    Calls the handlers of this node at once, in commit order.

    Implements ``Bus``; all calls belong to the event loop's thread.
    """

    def __init__(self) -> None:
        self._on_events: OnEvents = _nobody
        self._on_ephemeral: OnEphemeral = _nobody
        self._on_wake: OnWake = _nobody
        self._on_gap: OnGap = _nobody

    @property
    def is_connected(self) -> bool:
        """Return True: there are no other nodes."""
        return True

    @property
    def stats(self) -> dict[str, int]:
        """Return nothing: a call is not counted."""
        return {}

    @property
    def echoes(self) -> None:
        """Return None: a call takes no time."""
        return

    @property
    def is_deaf(self) -> bool:
        """Return False: a call is heard."""
        return False

    def publish(self, events: Sequence[StreamEvent]) -> None:
        """Hand committed events to the node before returning."""
        self._on_events(events)

    def publish_ephemeral(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        """Hand an event that no stream keeps to the node before returning."""
        self._on_ephemeral(user_id, namespace, event, payload)

    def wake(self, keys: Sequence[StreamKey]) -> None:
        """Tell the node before returning."""
        self._on_wake(keys)

    def gap(self) -> None:
        """Tell the node that it may have missed something; for what brings it the events of other nodes."""
        self._on_gap()

    def subscribe(
        self, on_events: OnEvents, on_ephemeral: OnEphemeral, on_wake: OnWake, on_gap: OnGap | None = None
    ) -> None:
        """Set the handlers, in place of earlier ones."""
        self._on_events = on_events
        self._on_ephemeral = on_ephemeral
        self._on_wake = on_wake
        self._on_gap = on_gap or _nobody

    def follow(self, user_id: UserId) -> None:
        """All users are on this node."""

    def unfollow(self, user_id: UserId) -> None:
        """All users are on this node."""

    async def heard(self, user_ids: Collection[UserId]) -> None:
        """There is nothing to wait for."""

    async def start(self) -> None:
        """Nothing stands between the caller and the node."""

    async def stop(self) -> None:
        """Nothing is on its way."""
