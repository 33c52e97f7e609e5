"""A notification: stored, seen by its user, and carried by the ``/notifications`` stream."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from tocsin.domain.errors import Invalid
from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId, user_id_json

Priority = Literal["low", "normal", "high", "urgent"]

MAX_TYPE = 64
MAX_TITLE = 200
MAX_MESSAGE = 4_000
MAX_CATEGORY = 64
MAX_SOUND = 128
MAX_DATA_BYTES = 16_384
# Of one transaction; more are a job.
MAX_RECIPIENTS = 1_000
MAX_BULK = 50_000
MAX_KEY = 128
MAX_ACTOR_NAME = 128
# How many of a group are named.
MAX_ACTORS = 5
# Of every draft that says none; nobody writes into a draft.
_NONE: Final[dict[str, Any]] = {}


class NotificationDraft(NamedTuple):
    """
    What a publisher asks for; the rules of length are checked at the edges.

    Attributes:
        stored_id: The id that it has where it is stored already, as a model's ``to_dict()`` says:
            if its user has that notification, it was delivered and nothing is made twice.
        id: The id that it will have; None: a new one.
        collapse_key: It takes the place of the user's notification of the same key.
        group_key: It joins the user's unread card of the same key.
        actor_id: Who did it; in a group each counts once.
        claim_id: Shared by those of whom one may claim it.
        template: The name of its words; ``title`` and ``message`` stand in where they can't be had.
        params: What the words are filled with.
    """

    user_id: UserId
    type: str
    title: str
    message: str
    data: dict[str, Any] = _NONE
    category: str | None = None
    priority: Priority = "normal"
    sound: str | None = None
    expires_at: int | None = None
    stored_id: str | None = None
    id: str | None = None
    collapse_key: str | None = None
    group_key: str | None = None
    actor_id: UserId | None = None
    actor_name: str | None = None
    claim_id: str | None = None
    template: str | None = None
    params: dict[str, Any] = _NONE


def check_expiry(drafts: Iterable[NotificationDraft], now: int) -> None:
    """
    Accept what somebody can still see.

    Raises:
        Invalid: One has expired: it would ring on every device, and be in no list.
    """
    for draft in drafts:
        if draft.expires_at is not None and draft.expires_at <= now:
            raise Invalid("expires_at is over: a notification has one that is to come, or none")


class Notification(NamedTuple):
    """
    A stored notification, its fields in the order of its row; instants are milliseconds since 1970.

    Attributes:
        seq: The seq of the event that brought it, or brought it back; lists are ordered by it.
        archived_at: Since when it is out of the list and the badge.
        snoozed_until: When it comes back; out of both till then.
        group_actors: Who did it, the latest first, each ``{id, name}``.
        digest_id: The card of the digest that stands for it.
        digest_count: Of such a card: how many it stands for.
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
    archived_at: int | None = None
    snoozed_until: int | None = None
    updated_at: int | None = None
    collapse_key: str | None = None
    group_key: str | None = None
    group_id: str | None = None
    group_count: int | None = None
    group_actors: list[dict[str, Any]] | None = None
    claim_id: str | None = None
    claimed_by: UserId | None = None
    claimed_at: int | None = None
    digest_id: str | None = None
    digest_count: int | None = None

    @property
    def is_unread(self) -> bool:
        """Return whether the badge counts it, as long as it has not expired."""
        return self.read_at is None and self.archived_at is None and self.snoozed_until is None

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers and of the ``notification`` event."""
        told = {
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
            "archived_at": iso_or_none(self.archived_at),
            "snoozed_until": iso_or_none(self.snoozed_until),
        }
        # Most have none of these, and are sent often.
        if self.updated_at is not None:
            told["updated_at"] = iso(self.updated_at)
        if self.collapse_key is not None:
            told["collapse_key"] = self.collapse_key
        if self.group_key is not None:
            told["group"] = {"key": self.group_key, "count": self.group_count, "actors": self.group_actors}
        if self.claim_id is not None:
            told["claim"] = self.claim_json()
        if self.digest_id is not None or self.digest_count is not None:
            told["digest"] = {"id": self.digest_id, "count": self.digest_count}
        return told

    def claim_json(self) -> dict[str, Any]:
        """Return who has claimed it."""
        claimed_by = None if self.claimed_by is None else user_id_json(self.claimed_by)
        return {"claimed_by": claimed_by, "claimed_at": iso_or_none(self.claimed_at)}


Place = Literal["inbox", "archive", "snoozed"]


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """
    Which notifications a list shows; expired ones never appear.

    Attributes:
        place: The inbox, what is archived, or what is snoozed.
        digest_id: Those alone for which this card stands, wherever they are.
    """

    unread: bool | None = None
    category: str | None = None
    type: str | None = None
    place: Place = "inbox"
    digest_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """
    What a user changes of an own notification; None: nothing.

    Attributes:
        read: False: it is unread again.
        snoozed_until: When it comes back, in milliseconds since 1970; 0: it comes back now, quietly.
    """

    seen: bool = False
    read: bool | None = None
    archived: bool | None = None
    snoozed_until: int | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """
    A notification that will be delivered later; of a topic, to whoever follows it then.

    Attributes:
        id: Of the notification, or of the job that a topic's will be.
        due_at: When, in milliseconds since 1970.
    """

    id: str
    due_at: int
    user_id: UserId | None
    topic: str | None
    title: str
    created_at: int

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST."""
        return {
            "id": self.id,
            "deliver_at": iso(self.due_at),
            "user_id": None if self.user_id is None else user_id_json(self.user_id),
            "topic": self.topic,
            "title": self.title,
            "created_at": iso(self.created_at),
        }
