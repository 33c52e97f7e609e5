"""A notification: stored, seen by its user, and carried by the ``/notifications`` stream."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId, user_id_json

Priority = Literal["low", "normal", "high", "urgent"]

MAX_TYPE = 64
MAX_TITLE = 200
MAX_MESSAGE = 4_000
MAX_CATEGORY = 64
MAX_SOUND = 128
MAX_DATA_BYTES = 16_384
MAX_RECIPIENTS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDraft:
    """
    What a publisher asks for; the rules of length are checked at the edges.

    Attributes:
        stored_id: The id that it has where it is stored already, as a model's ``to_dict()`` says:
            if its user has that notification, it was delivered and nothing is made twice.
    """

    user_id: UserId
    type: str
    title: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)
    category: str | None = None
    priority: Priority = "normal"
    sound: str | None = None
    expires_at: int | None = None
    stored_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """
    A stored notification; instants are milliseconds since 1970.

    Attributes:
        seq: The seq of the event that created it; lists are ordered by it.
    """

    id: str
    user_id: UserId
    seq: int
    type: str
    title: str
    message: str
    data: dict[str, Any]
    category: str | None
    priority: Priority
    sound: str | None
    created_at: int
    seen_at: int | None = None
    read_at: int | None = None
    expires_at: int | None = None

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers and of the ``notification`` event."""
        return {
            "id": self.id,
            "user_id": user_id_json(self.user_id),
            "type": self.type,
            "title": self.title,
            "message": self.message,
            "data": self.data,
            "category": self.category,
            "priority": self.priority,
            "sound": self.sound,
            "timestamp": iso(self.created_at),
            "seen_at": iso_or_none(self.seen_at),
            "read": self.read_at is not None,
            "read_at": iso_or_none(self.read_at),
            "expires_at": iso_or_none(self.expires_at),
        }


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """Which notifications a list shows; expired ones never appear."""

    unread: bool | None = None
    category: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class InboxPage:
    """
    One page of an inbox, newest first, with the stream's position in the same snapshot.

    Attributes:
        next_before: The seq to continue below, or None at the end.
        unread_count: Unread notifications of the whole inbox, whatever the filter.
        seq: The head of the ``/notifications`` stream.
    """

    notifications: list[Notification]
    next_before: int | None
    unread_count: int
    seq: int


@dataclass(frozen=True, slots=True)
class InboxStats:
    """Counts over one inbox; ``by_category`` counts the unread, ``""`` stands for none."""

    unread: int
    unseen: int
    total: int
    by_category: dict[str, int]
