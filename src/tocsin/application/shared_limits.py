"""
Rates of client events over several nodes: each tells the others what its users have spent.

Each node decides by itself and at once, and hears of the others within ``TELL_S``. So a user who
uses n nodes at once may spend up to n tenths more than the rate, and what fits into that second; without the bus,
the whole rate on each. Nobody is ever refused for longer than by one node alone.
"""

import asyncio
from secrets import token_hex
from typing import Any

from tocsin.application.ports import Bus
from tocsin.application.rate_limits import RateLimits
from tocsin.domain.errors import Invalid
from tocsin.domain.user_id import parse_user_id

NAMESPACE = "/:limits"
TELL_S = 1.0
# Of each event, in one message; the others are told in the next.
MAX_USERS = 500
MAX_COUNT = 1_000_000_000


class SharedLimits:
    """
    Keeps the limits of this node and of the others together. Belongs to the event loop's thread.

    Args:
        limits: This node's; they have to be shared ones.
        bus: Reaches the other nodes.
    """

    def __init__(self, limits: RateLimits, bus: Bus) -> None:
        self._limits = limits
        self._bus = bus
        self._node = token_hex(8)
        self._telling: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to tell, every ``TELL_S`` seconds what is new."""
        self.tell()
        self._telling = asyncio.get_running_loop().call_later(TELL_S, self.start)

    def stop(self) -> None:
        """Tell nothing more."""
        if self._telling is not None:
            self._telling.cancel()

    def tell(self) -> None:
        """Tell what was spent since the last time, if anything was."""
        for namespace, event, spent in self._limits.take_spent(MAX_USERS):
            payload = {"node": self._node, "namespace": namespace, "event": event, "spent": spent}
            self._bus.publish_ephemeral(None, NAMESPACE, "spent", payload)

    def on_ephemeral(self, namespace: str, payload: Any) -> bool:
        """Count what another node tells; return whether the event was of this kind."""
        if namespace != NAMESPACE:
            return False
        match payload:
            case {"node": str(node), "namespace": str(place), "event": str(event), "spent": dict(spent)}:
                if node != self._node:
                    self._count(place, event, spent)
            case _:
                pass  # of a later release
        return True

    def _count(self, namespace: str, event: str, spent: dict[Any, Any]) -> None:
        limit = self._limits.find(namespace, event)
        if limit is None:
            return
        for user, count in spent.items():
            try:
                user_id = parse_user_id(user, "user_id")
            except Invalid:
                continue
            if type(count) is int and 0 < count <= MAX_COUNT:
                limit.add(user_id, count)
