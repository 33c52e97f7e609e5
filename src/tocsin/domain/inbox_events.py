"""Payloads of ``/notifications``; see ``events``, the registry."""

from typing import Any, Literal, NotRequired, TypedDict

Id = int | str


class GroupActor(TypedDict):
    """One of those for whom a card stands."""

    id: Id
    name: str | None


class NotificationGroup(TypedDict):
    """For how many a card stands, and the latest of them."""

    key: str
    count: int
    actors: list[GroupActor]


class NotificationClaim(TypedDict):
    """Who has claimed a notification; null while nobody has."""

    claimed_by: Id | None
    claimed_at: str | None


class NotificationDigest(TypedDict):
    """The card of the digest that stands for it, or for how many this card stands."""

    id: str | None
    count: int | None


class NotificationPayload(TypedDict):
    """
    A stored notification.

    It is new, or comes back from a snooze with the id that it had. ``toast`` false, ``silent``
    true: its user does not want to be disturbed by it now. ``sound`` is the one to play, null the page's own.
    """

    id: str
    user_id: Id
    type: str
    title: str
    message: str
    data: dict[str, Any]
    category: str | None
    priority: Literal["low", "normal", "high", "urgent"]
    sound: str | None
    timestamp: str
    seen_at: str | None
    read: bool
    read_at: str | None
    expires_at: str | None
    archived_at: str | None
    snoozed_until: str | None
    updated_at: NotRequired[str]
    collapse_key: NotRequired[str]
    group: NotRequired[NotificationGroup]
    claim: NotRequired[NotificationClaim]
    digest: NotRequired[NotificationDigest]
    toast: NotRequired[bool]
    silent: NotRequired[bool]
    unread_count: NotRequired[int]


class NotificationRead(TypedDict):
    """
    One notification was read, or (``all``) every one in the inbox that was created earlier in the stream.

    With ``all`` and a ``category`` only those of the category are meant. What
    is read and was not seen is seen now: its ``seen_at`` is the ``read_at``.
    """

    id: NotRequired[str]
    all: NotRequired[bool]
    category: NotRequired[str | None]
    read_at: str
    unread_count: NotRequired[int]


class NotificationDeleted(TypedDict):
    """A notification was deleted by its user, retracted by its publisher, replaced by another, or has expired."""

    id: str
    reason: NotRequired[Literal["replaced", "expired"]]
    replaced_by: NotRequired[str]
    unread_count: NotRequired[int]


class NotificationUpdated(TypedDict):
    """
    Fields of notifications changed, and nothing that makes a noise.

    Of one (``id``): what is given. A whole one that is not known yet is stored, and in the archive or snoozed.
    Of some (``ids``), or of all unread ones in the inbox (``all``): ``seen_at``. Of all in the inbox (``all``
    with ``archived_at``): of a ``category`` where one is given, of the read ones where ``read_only``.
    Of all with this ``digest.id``, where no ``id`` is given: they went into its card.
    """

    id: NotRequired[str]
    ids: NotRequired[list[str]]
    all: NotRequired[bool]
    seen_at: NotRequired[str | None]
    read_at: NotRequired[str | None]
    archived_at: NotRequired[str | None]
    snoozed_until: NotRequired[str | None]
    read_only: NotRequired[bool]
    updated_at: NotRequired[str]
    user_id: NotRequired[Id]
    type: NotRequired[str]
    title: NotRequired[str]
    message: NotRequired[str]
    data: NotRequired[dict[str, Any]]
    category: NotRequired[str | None]
    priority: NotRequired[Literal["low", "normal", "high", "urgent"]]
    sound: NotRequired[str | None]
    timestamp: NotRequired[str]
    read: NotRequired[bool]
    expires_at: NotRequired[str | None]
    collapse_key: NotRequired[str]
    group: NotRequired[NotificationGroup]
    claim: NotRequired[NotificationClaim]
    digest: NotRequired[NotificationDigest | None]
    unread_count: NotRequired[int]


class UnreadCount(TypedDict):
    """How many are unread as of ``seq``; after ``synced``. Every event of the stream has it, too."""

    unread_count: int
    seq: int


class PreferencesChanged(TypedDict):
    """The user's preferences were changed on some device: fetch them again."""
