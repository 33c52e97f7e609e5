"""``Notification``: what a session adds, reads, marks or deletes, every client of its user hears."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy.orm import Mapped, attributes

from tocsin.adapters.sql import arrivals, deliveries, inbox, schema
from tocsin.adapters.sql.inbox_queries import from_row
from tocsin.adapters.sql.inbox_statements import MARKS, SQL
from tocsin.adapters.sql.preferences import effective
from tocsin.adapters.sql.transaction import Transaction
from tocsin.application.drafts import draft_notification
from tocsin.domain import notification as domain
from tocsin.domain.identifier import new_id
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import from_datetime, now_ms
from tocsin.domain.user_id import parse_user_id
from tocsin.models.columns import to_datetime, typed
from tocsin.models.model import Model, Telling, take_over

_INSTANTS = (*MARKS, "expires_at", "updated_at", "claimed_at")
_AS_STORED = (
    *("collapse_key", "group_key", "group_id", "group_count", "group_actors"),
    *("claim_id", "digest_id", "digest_count"),
)


class Notification(Model):
    """
    A stored notification; to add one to a session publishes it when the session commits.

    Setting ``read_at`` or ``seen_at`` of a stored one tells the user's devices,
    as REST does, and so does deleting it; the instant is the transaction's, or
    that of whoever was first. Nothing else of it can change.

    Args:
        user_id: Whose inbox.
        title: 1 to 200 characters.
        message: At most 4,000 characters.
        type: What kind it is, for the page.
        data: JSON object, at most 16 KiB; copied.
        expires_at: When it leaves the inbox; a naive instant is UTC.
        ttl_s: The same, as seconds from now.

    Raises:
        Invalid: A field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds the limit.
    """

    __table__ = typed(schema.notification)
    # The row may be gone already: whoever was first has told of it.
    __mapper_args__ = {"confirm_deleted_rows": False}  # noqa: RUF012 SQLAlchemy's
    _changeable = frozenset({"seen_at", "read_at"})

    if TYPE_CHECKING:
        id: Mapped[str]
        user_id: Mapped[int | str]
        seq: Mapped[int]
        type: Mapped[str]
        title: Mapped[str]
        message: Mapped[str]
        data: Mapped[dict[str, Any]]
        category: Mapped[str | None]
        priority: Mapped[domain.Priority]
        sound: Mapped[str | None]
        created_at: Mapped[datetime]
        seen_at: Mapped[datetime | None]
        read_at: Mapped[datetime | None]
        expires_at: Mapped[datetime | None]
        archived_at: Mapped[datetime | None]
        snoozed_until: Mapped[datetime | None]
        updated_at: Mapped[datetime | None]
        collapse_key: Mapped[str | None]
        group_key: Mapped[str | None]
        group_count: Mapped[int | None]
        group_actors: Mapped[list[dict[str, Any]] | None]
        claim_id: Mapped[str | None]
        claimed_by: Mapped[int | str | None]
        claimed_at: Mapped[datetime | None]
        digest_id: Mapped[str | None]
        digest_count: Mapped[int | None]

    def __init__(
        self,
        *,
        user_id: int | str,
        title: str,
        message: str = "",
        type: str = "notification",  # noqa: A002 the field's name
        data: dict[str, Any] | None = None,
        category: str | None = None,
        priority: domain.Priority = "normal",
        sound: str | None = None,
        expires_at: datetime | None = None,
        ttl_s: float | None = None,
    ) -> None:
        given: dict[str, Any] = {"title": title, "message": message, "type": type, "data": data, "category": category}
        given |= {"priority": priority, "sound": sound, "expires_at": expires_at, "ttl_s": ttl_s}
        draft = draft_notification(user_id, given, may_be_over=True)
        super().__init__(
            id=new_id(),
            user_id=draft.user_id,
            type=draft.type,
            title=draft.title,
            message=draft.message,
            data=draft.data,
            category=draft.category,
            priority=draft.priority,
            sound=draft.sound,
            created_at=to_datetime(now_ms()),
            seen_at=None,
            read_at=None,
            expires_at=None if draft.expires_at is None else to_datetime(draft.expires_at),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of REST and of the ``notification`` event."""
        return self._entity().json()

    def _entity(self) -> domain.Notification:
        same: dict[str, Any] = {name: getattr(self, name) for name in _AS_STORED}
        same |= {name: _milliseconds(getattr(self, name)) for name in _INSTANTS}
        return domain.Notification(
            id=self.id,
            user_id=parse_user_id(self.user_id),
            seq=self.seq,
            type=self.type,
            title=self.title,
            message=self.message,
            data=self.data,
            category=self.category,
            priority=self.priority,
            sound=self.sound,
            created_at=from_datetime(self.created_at),
            claimed_by=None if self.claimed_by is None else parse_user_id(self.claimed_by),
            **same,
        )

    def _key(self) -> StreamKey:
        return StreamKey(parse_user_id(self.user_id), arrivals.NAMESPACE)

    def _streams(self) -> Sequence[StreamKey]:
        return [self._key()]

    def _created(self, transaction: Transaction) -> Sequence[Telling]:
        names = ("title", "message", "type", "data", "category", "priority", "sound", "expires_at")
        # It may have changed since.
        draft_notification(self.user_id, {name: getattr(self, name) for name in names}, may_be_over=True)
        key = self._key()
        wanted = effective(transaction, key.user_id)
        place: dict[str, Any] = {"user_id": key.user_id, "category": self.category, "priority": self.priority}
        arrivals.settle(place, wanted, transaction.now)
        for name in ("archived_at", "snoozed_until"):
            setattr(self, name, to_datetime(place[name]) if name in place else None)
        self.digest_id = place.get("digest_id")
        entity = self._entity()
        event, payload = arrivals.told(entity, wanted, transaction.now)
        return [Telling(key, event, orjson.dumps(payload), self, int(entity.is_unread))]

    def _numbered(self, transaction: Transaction) -> None:
        if self.archived_at is None and self.snoozed_until is None:
            deliveries.add(transaction, [self._entity()])

    def _changed(self, transaction: Transaction, names: Sequence[str]) -> Sequence[Telling]:
        for name in names:
            if name not in self._changeable or getattr(self, name) is None:
                self._refuse_change(name, getattr(self, name))
        now, key = transaction.now, self._key()
        before = self._stored(transaction)
        tellings: list[Telling] = []
        if before is not None and before.read_at is None and "read_at" in names:
            marks = {name: getattr(before, name) for name in MARKS}
            marks |= {"read_at": now, "seen_at": before.seen_at or now}
            transaction.execute(SQL.set_marks, {"id": self.id, **marks})
            deliveries.end(transaction, key.user_id, self.id, "read")
            payload = orjson.dumps(inbox.read_payload(self.id, now))
            tellings = [Telling(key, "notification_read", payload, unread=-int(before.is_unread))]
        elif before is not None and before.seen_at is None and "read_at" not in names:
            wanted = {"id": self.id, "user_id": key.user_id, "now": now, "seen_at": now}
            if transaction.execute(SQL.set_seen, wanted).rowcount:
                payload = orjson.dumps(inbox.seen_payload([self.id], now))
                tellings = [Telling(key, "notification_updated", payload, unread=0)]
        row = transaction.row(SQL.marks, {"id": self.id})
        take_over(self, row, "seen_at", "read_at")
        if row is None:  # it has gone meanwhile: nothing is left to flush
            for name in names:
                attributes.set_committed_value(self, name, getattr(self, name))
        return tellings

    def _deleted(self, transaction: Transaction) -> Sequence[Telling]:
        before = self._stored(transaction, now=0)
        if before is None:
            return []
        transaction.execute(SQL.delete_notification, {"id": self.id})
        key = self._key()
        deliveries.end(transaction, key.user_id, self.id, "deleted")
        payload = orjson.dumps({"id": self.id})
        return [Telling(key, "notification_deleted", payload, unread=-int(before.is_unread))]

    def _stored(self, transaction: Transaction, now: int | None = None) -> domain.Notification | None:
        """Return it as the database has it; others may have changed it since it was read."""
        instant = transaction.now if now is None else now
        wanted = {"id": self.id, "user_id": self._key().user_id, "now": instant}
        row = transaction.row(SQL.own_notification, wanted)
        return None if row is None else from_row(row)


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else from_datetime(moment)
