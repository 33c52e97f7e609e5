"""Which node a client or producer talks to, and whom it turns to when that fails: as behind a balancer."""

from collections.abc import Sequence
from typing import NamedTuple


class Address(NamedTuple):
    """Where a node is reached."""

    host: str
    port: int


class Route:
    """
    One way to the nodes: a home, and the others in turn when it fails.

    Args:
        addresses: Of the nodes; shared, so that who changes the list changes every route.
        home: Index of the node that is tried first.
    """

    def __init__(self, addresses: Sequence[Address], home: int) -> None:
        self._addresses = addresses
        self._home = home
        self._turn = home

    @property
    def address(self) -> Address:
        """Return where to connect to now."""
        return self._addresses[self._turn % len(self._addresses)]

    @property
    def is_home(self) -> bool:
        """Return whether ``address`` is that of the home."""
        return (self._turn - self._home) % len(self._addresses) == 0

    def turn(self) -> None:
        """Go to the next node: this one does not answer."""
        self._turn += 1

    def go_home(self) -> None:
        """Go to the node that is tried first."""
        self._turn = self._home
