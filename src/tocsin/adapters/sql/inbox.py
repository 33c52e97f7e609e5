"""
Writes to inboxes: each changes rows and appends the event that tells of it.

Reads of inboxes are in ``inbox_queries``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from typing import Any

import orjson

from tocsin.adapters.sql import deliveries, streams
from tocsin.adapters.sql.inbox_queries import from_row
from tocsin.adapters.sql.schema import notification as table
from tocsin.adapters.sql.statements import SQLITE as SQL
from tocsin.adapters.sql.transaction import Transaction
from tocsin.domain.errors import NotFound
from tocsin.domain.identifier import new_id
from tocsin.domain.notification import Notification, NotificationDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId

NAMESPACE = "/notifications"

_COLUMNS = tuple(table.c.keys())
_DATA = _COLUMNS.index("data")
_BEFORE_DATA = attrgetter(*_COLUMNS[:_DATA])
_AFTER_DATA = attrgetter(*_COLUMNS[_DATA + 1 :])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft with its ``data`` encoded, before the writer's turn."""

    draft: NotificationDraft
    data: bytes

    @property
    def size(self) -> int:
        """Return the bytes it holds, about."""
        return 500 + len(self.draft.title) + len(self.draft.message) + len(self.data)


def prepare(draft: NotificationDraft) -> Prepared:
    """Encode what can be encoded outside the writer thread."""
    return Prepared(draft, orjson.dumps(draft.data))


def create(transaction: Transaction, prepared: Sequence[Prepared]) -> list[Notification]:
    """
    Insert each with its ``notification`` event; return them in the order given.

    Counters are taken in ascending user id, see ``streams.append_to_all``.
    """
    order = sorted(range(len(prepared)), key=lambda index: prepared[index].draft.user_id)
    created: dict[int, Notification] = {}
    rows = []
    events = []
    for index in order:
        one = prepared[index]
        key = StreamKey(one.draft.user_id, NAMESPACE)
        notification = created[index] = _made(one.draft, streams.take_seq(transaction, key), transaction.now)
        payload = notification.json()
        payload["data"] = orjson.Fragment(one.data)
        rows.append((*_BEFORE_DATA(notification), one.data, *_AFTER_DATA(notification)))
        events.append(streams.stamped(transaction, key, notification.seq, "notification", orjson.dumps(payload)))
    transaction.execute_many(SQL.insert_notification, rows)
    streams.put_events(transaction, events)
    deliveries.add(transaction, list(created.values()))
    return [created[index] for index in range(len(prepared))]


def create_unless_stored(transaction: Transaction, prepared: Prepared) -> None:
    """Insert one with its event, except that its user has one of its ``stored_id``."""
    draft = prepared.draft
    if draft.stored_id is not None:
        # Whether it has expired since makes no difference: it was delivered.
        wanted = {"id": draft.stored_id, "user_id": draft.user_id, "now": 0}
        if transaction.row(SQL.own_notification, wanted) is not None:
            return
    create(transaction, [prepared])


def _made(draft: NotificationDraft, seq: int, now: int) -> Notification:
    return Notification(
        id=new_id(),
        user_id=draft.user_id,
        seq=seq,
        type=draft.type,
        title=draft.title,
        message=draft.message,
        data=draft.data,
        category=draft.category,
        priority=draft.priority,
        sound=draft.sound,
        created_at=now,
        expires_at=draft.expires_at,
    )


def mark_read(transaction: Transaction, user_id: UserId, notification_id: str) -> Notification:
    """Set ``read_at``, and ``seen_at`` where it is not set; nothing when it is read already."""
    notification = _own(transaction, user_id, notification_id)
    if notification.read_at is not None:
        return notification
    now = transaction.now
    transaction.execute(SQL.set_read, {"id": notification_id, "read_at": now})
    _tell(transaction, user_id, "notification_read", read_payload(notification_id, now))
    deliveries.end(transaction, user_id, notification_id, "read")
    return replace(notification, read_at=now, seen_at=now if notification.seen_at is None else notification.seen_at)


def mark_all_read(transaction: Transaction, user_id: UserId, category: str | None) -> int:
    """Mark the unread ones and return how many they were."""
    now = transaction.now
    wanted = {"user_id": user_id, "now": now, "read_at": now, "category": category}
    statement = SQL.set_all_read if category is None else SQL.set_category_read
    marked = transaction.execute(statement, wanted).rowcount
    if marked:
        _tell(transaction, user_id, "notification_read", {"all": True, "category": category, "read_at": iso(now)})
        deliveries.end_all(transaction, user_id, category)
    return marked


def mark_seen(transaction: Transaction, user_id: UserId, notification_ids: Sequence[str] | None) -> int:
    """Mark the given or all unseen ones and return how many they were; unknown ids count for nothing."""
    now = transaction.now
    wanted = {"user_id": user_id, "now": now, "seen_at": now}
    if notification_ids is None:
        seen = transaction.execute(SQL.set_all_seen, wanted).rowcount
        if seen:
            _tell(transaction, user_id, "notification_updated", {"all": True, "seen_at": iso(now)})
        return seen
    changed = [one for one in notification_ids if transaction.execute(SQL.set_seen, {**wanted, "id": one}).rowcount]
    if changed:
        _tell(transaction, user_id, "notification_updated", seen_payload(changed, now))
    return len(changed)


def delete(transaction: Transaction, user_id: UserId | None, notification_id: str) -> None:
    """Delete one of the user's own, or (None) anybody's."""
    notification = _own(transaction, user_id, notification_id)
    transaction.execute(SQL.delete_notification, {"id": notification_id})
    _tell(transaction, notification.user_id, "notification_deleted", deleted_payload(notification_id))
    deliveries.end(transaction, notification.user_id, notification_id, "deleted")


def read_payload(notification_id: str, read_at: int) -> dict[str, Any]:
    """Return what ``notification_read`` says of one."""
    return {"id": notification_id, "read_at": iso(read_at)}


def seen_payload(notification_ids: Sequence[str], seen_at: int) -> dict[str, Any]:
    """Return what ``notification_updated`` says of some that were seen."""
    return {"ids": notification_ids, "seen_at": iso(seen_at)}


def deleted_payload(notification_id: str) -> dict[str, Any]:
    """Return what ``notification_deleted`` says."""
    return {"id": notification_id}


def _own(transaction: Transaction, user_id: UserId | None, notification_id: str) -> Notification:
    wanted = {"id": notification_id, "user_id": user_id, "now": transaction.now}
    row = transaction.row(SQL.any_notification if user_id is None else SQL.own_notification, wanted)
    if row is None:
        raise NotFound("there is no such notification")
    return from_row(row)


def _tell(transaction: Transaction, user_id: UserId, event: str, payload: dict[str, Any]) -> None:
    streams.append(transaction, StreamKey(user_id, NAMESPACE), event, orjson.dumps(payload))


def to_json(notification: Notification) -> dict[str, Any]:
    """Return what ``from_json`` reads."""
    return asdict(notification)


def from_json(saved: dict[str, Any]) -> Notification:
    """Return the notification of a saved result."""
    return Notification(**saved)


def many_to_json(notifications: list[Notification]) -> dict[str, Any]:
    """Return what ``many_from_json`` reads; what all have in common is said once."""
    rows = [asdict(notification) for notification in notifications]
    common = {name: value for name, value in rows[0].items() if all(row[name] == value for row in rows)}
    return {"common": common, "rows": [{name: row[name] for name in row.keys() - common.keys()} for row in rows]}


def many_from_json(saved: dict[str, Any]) -> list[Notification]:
    """Return the notifications of a saved result."""
    return [Notification(**saved["common"], **row) for row in saved["rows"]]
