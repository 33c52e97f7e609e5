"""
What is known of one notification's way: read in one instant, and told as a timeline.

Instants are milliseconds since 1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.domain.delivery import Attempt, Delivery
from tocsin.domain.notification import Notification, Scheduled
from tocsin.domain.preference import Preferences
from tocsin.domain.stream import Head
from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId, user_id_json


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the user's log that concerns the notification."""

    seq: int
    event: str
    payload: dict[str, Any]
    at: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where a push could go now: no token, no endpoint."""

    channel: str
    id: str
    label: str
    created_at: int
    last_seen_at: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that made it, where it had an idempotency key: whose, and which."""

    by: UserId
    scopes: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Job:
    """The job that made it, as one of many."""

    id: str
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    What the database holds of one notification, as of one instant.

    Attributes:
        notification: Its row; None: it is gone.
        log: The events about it that are kept, the earliest first.
        head: The state of its user's stream.
        scheduled: It waits for its time.
        targets: What could be pushed to now.
        has_channels: Its user or category has another channel now.
    """

    notification_id: str
    user_id: UserId
    notification: Notification | None
    log: Sequence[Told]
    head: Head
    epoch: str
    attempts: Sequence[Attempt]
    delivery: Delivery | None
    asked: Asked | None = None
    job: Job | None = None
    scheduled: Scheduled | None = None
    preferences: Preferences = field(default_factory=Preferences)
    targets: Sequence[Target] = ()
    has_channels: bool = False

    @property
    def first(self) -> Told | None:
        """Return the event that told of it first, if it is kept."""
        mine = (one for one in self.log if one.payload.get("id") == self.notification_id)
        return next((one for one in mine if "title" in one.payload and "timestamp" in one.payload), None)

    @property
    def news(self) -> Told | None:
        """
        Return the event that brought it into the inbox.

        None: it went to the archive at once or waits, or the event is no longer kept.
        """
        mine = (one for one in self.log if one.payload.get("id") == self.notification_id)
        return next((one for one in mine if one.event == "notification"), None)

    @property
    def is_withheld(self) -> bool:
        """Return whether it never came into the inbox: what clients were told of it, they do not show."""
        row = self.notification
        if self.news is not None:
            return False
        if self.first is not None:
            return True
        return row is not None and (row.digest_id is not None or row.archived_at == row.created_at)

    @property
    def digest_id(self) -> str | None:
        """Return the digest that it was held for."""
        if self.notification is not None:
            return self.notification.digest_id
        return None if self.first is None else (self.first.payload.get("digest") or {}).get("id")

    @property
    def digest(self) -> Told | None:
        """Return the event that brought the digest that it is part of."""
        if self.digest_id is None:
            return None
        return next((one for one in self.log if one.payload.get("id") == self.digest_id), None)

    @property
    def seq(self) -> int:
        """Return the place of the event that told its user of it; 0 where that is not known any more."""
        told = self.news or self.first
        if told is not None:
            return told.seq
        return 0 if self.notification is None else self.notification.seq

    @property
    def told_at(self) -> int | None:
        """Return when that event was committed."""
        told = self.news or self.first
        return self.created_at if told is None else told.at

    def said(self, name: str) -> Any:
        """Return a field of its content, from its row or from the log; None where neither has it."""
        if self.notification is not None:
            return getattr(self.notification, name)
        return None if self.first is None else self.first.payload.get(name)

    @property
    def created_at(self) -> int | None:
        """Return when it was stored."""
        if self.notification is not None:
            return self.notification.created_at
        if self.first is not None:
            return self.first.at
        return None if self.delivery is None else self.delivery.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One line of the timeline.

    Attributes:
        kind: What happened, for programs.
        text: The same in plain words, with the reason where something was skipped.
        at: When; None: at some time, as the text says.
        channel: ``inbox``, ``socket``, ``fcm``, ``webpush``, ``channels`` or ``ladder``.
        target: The id of the device, browser, channel or session.
        label: What may be told of the target.
        is_bad: It did not get there, this way.
    """

    at: int | None
    channel: str
    kind: str
    text: str
    target: str | None = None
    label: str | None = None
    node: str | None = None
    is_bad: bool = False

    def json(self) -> dict[str, Any]:
        """Return the step as REST tells it."""
        return {
            "at": iso_or_none(self.at),
            "channel": self.channel,
            "kind": self.kind,
            "text": self.text,
            "target": self.target,
            "label": self.label,
            "node": self.node,
            "is_bad": self.is_bad,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """
    Everything that is known of one notification's way.

    Attributes:
        verdict: One sentence: did its user get it, and if not, why.
        state: ``scheduled``, ``listed``, ``archived``, ``snoozed``, ``expired`` or ``gone``.
        timeline: Every step, the earliest first.
        unknown: Sentences on what nobody can tell any more.
    """

    record: Record
    verdict: str
    state: str
    acked: bool | None
    timeline: Sequence[Step]
    unknown: Sequence[str]

    def json(self) -> dict[str, Any]:
        """Return the answer of REST; nothing of the message and its data."""
        record, notification = self.record, self.record.notification
        held = record.delivery
        return {
            "notification_id": record.notification_id,
            "user_id": user_id_json(record.user_id),
            "in_inbox": notification is not None,
            "state": self.state,
            "verdict": self.verdict,
            **{name: record.said(name) for name in ("type", "title", "category", "priority")},
            "seq": record.seq or None,
            "epoch": record.epoch,
            "created_at": iso_or_none(record.created_at),
            "acked": self.acked,
            "seen_at": None if notification is None else iso_or_none(notification.seen_at),
            "read_at": None if notification is None else iso_or_none(notification.read_at),
            "expires_at": None if notification is None else iso_or_none(notification.expires_at),
            "next": None
            if held is None or held.ended
            else {"rung": held.rung, "tries": held.tries, "at": iso(held.due_at)},
            "steps": [attempt.json() for attempt in record.attempts],
            "timeline": [step.json() for step in self.timeline],
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, slots=True)
class Found:
    """One line of a search: enough to know it by."""

    id: str
    type: str
    title: str
    created_at: int
    state: str

    def json(self) -> dict[str, Any]:
        """Return the line as REST tells it."""
        return {
            "id": self.id,
            "type": self.type,
            "title": self.title,
            "created_at": iso(self.created_at),
            "state": self.state,
        }
