"""What the trace needs of a store: everything that is kept of one notification, and a search for its id."""

from collections.abc import Sequence
from typing import Protocol

from tocsin.domain.journey import Found, Record
from tocsin.domain.user_id import UserId


class JourneyStore(Protocol):
    """Reads what is kept of single notifications; each answer is of one instant."""

    async def record(self, notification_id: str, user_id: UserId | None = None) -> Record:
        """
        Return what is kept of a notification, also of one that is gone.

        Args:
            notification_id: Which.
            user_id: Whose it is, where the caller knows; one that is gone and was never pushed is
                otherwise found only when it was made within a minute of the instant in its id.

        Raises:
            NotFound: Nothing is kept of it; the detail says what is known of the id.
        """

    async def search(
        self, user_id: UserId, *, since: int | None, until: int | None, text: str, limit: int
    ) -> Sequence[Found]:
        """
        Return a user's notifications, the newest first, also those that are gone and still in the log.

        Args:
            user_id: Whose.
            since: Made at this instant or later, in milliseconds since 1970.
            until: Made before this instant.
            text: Stands in the title or the type, in capitals or not; empty: any.
            limit: At most so many, of the user's latest 2,000.
        """
