"""``Notification``: what a session adds, reads, marks or deletes, every client of its user hears."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy.orm import Mapped

from tocsin.adapters.sql import deliveries, inbox, schema
from tocsin.adapters.sql.statements import SQLITE as SQL
from tocsin.adapters.sql.transaction import Transaction
from tocsin.application.drafts import draft_notification
from tocsin.domain import notification as domain
from tocsin.domain.identifier import new_id
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import from_datetime, now_ms
from tocsin.domain.user_id import parse_user_id
from tocsin.models.columns import to_datetime, typed
from tocsin.models.model import Model, Telling, take_over


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
        draft = draft_notification(user_id, given)
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
            seen_at=None if self.seen_at is None else from_datetime(self.seen_at),
            read_at=None if self.read_at is None else from_datetime(self.read_at),
            expires_at=None if self.expires_at is None else from_datetime(self.expires_at),
        )

    def _key(self) -> StreamKey:
        return StreamKey(parse_user_id(self.user_id), inbox.NAMESPACE)

    def _created(self, _transaction: Transaction) -> Sequence[Telling]:
        names = ("title", "message", "type", "data", "category", "priority", "sound", "expires_at")
        draft_notification(self.user_id, {name: getattr(self, name) for name in names})  # it may have changed since
        return [Telling(self._key(), "notification", orjson.dumps(self.to_dict()), self)]

    def _numbered(self, transaction: Transaction) -> None:
        deliveries.add(transaction, [self._entity()])

    def _changed(self, transaction: Transaction, names: Sequence[str]) -> Sequence[Telling]:
        for name in names:
            if name not in self._changeable or getattr(self, name) is None:
                self._refuse_change(name, getattr(self, name))
        now = transaction.now
        values = {"id": self.id, "user_id": parse_user_id(self.user_id), "now": now, "read_at": now, "seen_at": now}
        if "read_at" in names:
            is_news = transaction.execute(SQL.set_unread_read, values).rowcount
            event, payload = "notification_read", inbox.read_payload(self.id, now)
        else:
            is_news = transaction.execute(SQL.set_seen, values).rowcount
            event, payload = "notification_updated", inbox.seen_payload([self.id], now)
        if "read_at" in names and is_news:
            deliveries.end(transaction, self._key().user_id, self.id, "read")
        take_over(self, transaction.row(SQL.marks, {"id": self.id}), "seen_at", "read_at")
        return [Telling(self._key(), event, orjson.dumps(payload))] if is_news else []

    def _deleted(self, transaction: Transaction) -> Sequence[Telling]:
        if not transaction.execute(SQL.delete_notification, {"id": self.id}).rowcount:
            return []
        deliveries.end(transaction, self._key().user_id, self.id, "deleted")
        return [Telling(self._key(), "notification_deleted", orjson.dumps(inbox.deleted_payload(self.id)))]
