"""What the relay needs of a store: what is due, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tocsin.domain.delivery import Attempt, Delivery
from tocsin.domain.notification import Notification
from tocsin.domain.preference import Preferences


@dataclass(frozen=True, slots=True)
class Due:
    """
    A delivery that was claimed, with all that a decision needs.

    Attributes:
        notification: None: it was deleted.
        attempts: What was tried before, the earliest first.
        unread: How many of the user's notifications are unread, for the badge.
        targets: The user's devices and browsers, by channel; of a channel that is missing the route is asked.
    """

    delivery: Delivery
    notification: Notification | None
    attempts: Sequence[Attempt]
    preferences: Preferences
    unread: int
    targets: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """
    What came of a claimed delivery.

    Attributes:
        due_at: When it is to be looked at again; None: it is over.
    """

    delivery: Delivery
    attempts: Sequence[Attempt]
    rung: int
    tries: int
    due_at: int | None


class DeliveryStore(Protocol):
    """The ladder's memory. Rows are added and ended by the store, in the transactions that make the reason for it."""

    async def next_due(self) -> int | None:
        """Return the earliest instant at which something is due; None: nothing will be."""

    async def claim(self, limit: int, hold_ms: int) -> list[Due]:
        """
        Hold what is due, the earliest first, and return it; nobody else gets it for ``hold_ms``.

        What its holder does not settle, because it died, is due again then.
        """

    async def renew(self, held: Sequence[Delivery], hold_ms: int) -> None:
        """Hold what was claimed for longer; what somebody else holds by now stays theirs."""

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """
        Record what was tried, and let go of what was claimed.

        Attempts are recorded whatever happened meanwhile. One that has ended, or
        is planned anew, meanwhile is due at once; one that somebody else holds by now is theirs.
        """
