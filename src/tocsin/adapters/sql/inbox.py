"""
Changes of inboxes: each changes rows and appends the event that tells of it.

New notifications are in ``arrivals``, reads of inboxes in ``inbox_queries``.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from tocsin.adapters.sql import deliveries
from tocsin.adapters.sql.arrivals import NAMESPACE, remove, tell
from tocsin.adapters.sql.inbox_queries import from_row
from tocsin.adapters.sql.inbox_statements import CONTENT, MARKS, SQL
from tocsin.adapters.sql.transaction import Foreseen, Transaction
from tocsin.domain.delivery import Ending
from tocsin.domain.errors import AlreadyClaimed, Conflict, Invalid, NotFound
from tocsin.domain.notification import Change, Notification
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId


def mark_read(transaction: Transaction, user_id: UserId, notification_id: str) -> Notification:
    """Set ``read_at``, and ``seen_at`` where it is not set; nothing when it is read already."""
    notification = own(transaction, user_id, notification_id)
    if notification.read_at is not None:
        return notification
    now = transaction.now
    read = notification._replace(read_at=now, seen_at=now if notification.seen_at is None else notification.seen_at)
    _set_marks(transaction, read)
    tell(transaction, user_id, "notification_read", read_payload(notification_id, now), -int(notification.is_unread))
    deliveries.end(transaction, user_id, notification_id, "read")
    return read


def mark_all_read(transaction: Transaction, user_id: UserId, category: str | None) -> int:
    """Mark the unread ones that are listed and return how many they were."""
    now = transaction.now
    wanted = {"user_id": user_id, "now": now, "read_at": now, "category": category}
    # What has expired is not marked and still counted: its end will tell of it.
    marked = transaction.execute(SQL.set_all_read if category is None else SQL.set_category_read, wanted).rowcount
    if marked:
        payload = {"all": True, "category": category, "read_at": iso(now)}
        tell(transaction, user_id, "notification_read", payload, -marked)
        deliveries.end_all(transaction, user_id, category)
    return marked


def mark_seen(transaction: Transaction, user_id: UserId, notification_ids: Sequence[str] | None) -> int:
    """Mark the given or all unseen ones and return how many they were; unknown ids count for nothing."""
    now = transaction.now
    wanted = {"user_id": user_id, "now": now, "seen_at": now}
    if notification_ids is None:
        seen = transaction.execute(SQL.set_all_seen, wanted).rowcount
        if seen:
            tell(transaction, user_id, "notification_updated", {"all": True, "seen_at": iso(now)})
        return seen
    marked = [(one, transaction.execute(SQL.set_seen, {**wanted, "id": one})) for one in notification_ids]
    changed = [one for one, outcome in marked if outcome.rowcount]
    if changed:
        tell(transaction, user_id, "notification_updated", seen_payload(changed, now))
    return len(changed)


def change(transaction: Transaction, user_id: UserId, notification_id: str, wanted: Change) -> Notification:
    """
    Change the marks of an own one; nothing when they are so already.

    What is archived is no longer snoozed, and what is snoozed no longer archived.
    """
    before = own(transaction, user_id, notification_id)
    now = transaction.now
    # Here, where a retry of what was accepted in time does not come any more.
    if wanted.snoozed_until and wanted.snoozed_until <= now:
        raise Invalid("snoozed_until must lie in the future")
    after = _changed(before, wanted, now)
    if after == before:
        return before
    _set_marks(transaction, after)
    changed: dict[str, Any] = {
        name: iso_or_none(getattr(after, name)) for name in MARKS if getattr(after, name) != getattr(before, name)
    }
    if after.digest_id != before.digest_id:
        # It goes its own way: the hour of its digest is not its own any more.
        transaction.execute(SQL.leave_digest, {"id": notification_id})
        changed["digest"] = None
    moved = int(after.is_unread) - int(before.is_unread)
    if changed.keys() <= {"read_at", "seen_at"} and changed.get("read_at"):
        tell(transaction, user_id, "notification_read", read_payload(notification_id, now), moved)
    else:
        tell(transaction, user_id, "notification_updated", {"id": notification_id, **changed}, moved)
    if before.is_unread and not after.is_unread:
        ended: Ending = "read" if after.read_at else "archived" if after.archived_at else "snoozed"
        deliveries.end(transaction, user_id, notification_id, ended)
    return after


def _changed(before: Notification, wanted: Change, now: int) -> Notification:
    marks = {name: getattr(before, name) for name in MARKS}
    if wanted.read is not None and wanted.read is not (before.read_at is not None):
        marks["read_at"] = now if wanted.read else None
    if (wanted.seen or wanted.read) and before.seen_at is None:
        marks["seen_at"] = now
    if wanted.archived is not None and wanted.archived is not (before.archived_at is not None):
        marks["archived_at"] = now if wanted.archived else None
    if wanted.archived:
        marks["snoozed_until"] = None
    if wanted.snoozed_until is not None:
        marks["snoozed_until"] = wanted.snoozed_until or None
        if wanted.snoozed_until:
            marks["archived_at"] = None
    digest_id = before.digest_id if wanted.snoozed_until is None else None
    return before._replace(**marks, digest_id=digest_id)


def archive_all(transaction: Transaction, user_id: UserId, category: str | None, *, read_only: bool) -> int:
    """Archive what is listed, or the read ones of it; return how many they were."""
    now = transaction.now
    values = {"user_id": user_id, "now": now, "category": category, "archived_at": now}
    by_scope = {
        (False, False): SQL.archive_all,
        (False, True): SQL.archive_category,
        (True, False): SQL.archive_read,
        (True, True): SQL.archive_read_category,
    }
    unread = 0
    if not read_only:
        counts = transaction.rows(SQL.count_by_category, values)
        unread = sum(count for name, count, _ in counts if category is None or name == category)
    archived = transaction.execute(by_scope[read_only, category is not None], values).rowcount
    if archived:
        payload = {"all": True, "category": category, "archived_at": iso(now), "read_only": read_only}
        tell(transaction, user_id, "notification_updated", payload, -unread)
        if not read_only:
            deliveries.end_all(transaction, user_id, category, "archived")
    return archived


def edit(transaction: Transaction, notification_id: str, fields: dict[str, Any]) -> Notification:
    """Change the content of anybody's everywhere; it is not news, and makes no noise."""
    before = own(transaction, None, notification_id)
    after = before._replace(**fields)
    if after == before:
        return before
    after = after._replace(updated_at=transaction.now)
    values = {name: getattr(after, name) for name in CONTENT}
    transaction.execute(SQL.set_content, {"id": after.id, **values, "data": orjson.dumps(after.data)})
    deliveries.amend(transaction, after)
    if after.priority != before.priority:
        deliveries.begin_late(transaction, after)
    shown = after.json()
    told = {name: shown[name] for name in (*fields, "updated_at")}
    tell(transaction, after.user_id, "notification_updated", {"id": after.id, **told})
    return after


def delete(transaction: Transaction, user_id: UserId | None, notification_id: str) -> None:
    """Delete one of the user's own, or (None) anybody's."""
    remove(transaction, own(transaction, user_id, notification_id), {}, "deleted")


def claim(transaction: Transaction, user_id: UserId, notification_id: str) -> Notification:
    """Let the first who asks have what was sent to many; all who got it are told who it is."""
    mine = own(transaction, user_id, notification_id)
    if mine.claim_id is None:
        raise Conflict("this notification is not there to be claimed")
    if mine.claimed_by is not None:
        if mine.claimed_by == user_id:
            return mine
        raise AlreadyClaimed(mine.claim_json())
    won = mine._replace(claimed_by=user_id, claimed_at=transaction.now)
    transaction.execute(SQL.claim, {"claim_id": mine.claim_id, "claimed_by": user_id, "claimed_at": transaction.now})
    siblings = transaction.rows(SQL.siblings, {"claim_id": mine.claim_id})
    transaction.foresee(Foreseen([StreamKey(UserId(owner), NAMESPACE) for _, owner in siblings]))
    for sibling_id, owner in siblings:
        told = {"id": sibling_id, "claim": won.claim_json()}
        tell(transaction, UserId(owner), "notification_updated", told)
        deliveries.end(transaction, UserId(owner), sibling_id, "claimed")
    return won


def own(transaction: Transaction, user_id: UserId | None, notification_id: str) -> Notification:
    """Return one of the user's own, or (None) anybody's; NotFound also when it has expired."""
    wanted = {"id": notification_id, "user_id": user_id, "now": transaction.now}
    row = transaction.row(SQL.any_notification if user_id is None else SQL.own_notification, wanted)
    if row is None:
        raise NotFound("there is no such notification")
    return from_row(row)


def _set_marks(transaction: Transaction, notification: Notification) -> None:
    marks = {name: getattr(notification, name) for name in MARKS}
    transaction.execute(SQL.set_marks, {"id": notification.id, **marks})


def read_payload(notification_id: str, read_at: int) -> dict[str, Any]:
    """Return what ``notification_read`` says of one."""
    return {"id": notification_id, "read_at": iso(read_at)}


def seen_payload(notification_ids: Sequence[str], seen_at: int) -> dict[str, Any]:
    """Return what ``notification_updated`` says of some that were seen."""
    return {"ids": notification_ids, "seen_at": iso(seen_at)}


def to_json(notification: Notification) -> dict[str, Any]:
    """Return what ``from_json`` reads."""
    return notification._asdict()


def from_json(saved: dict[str, Any]) -> Notification:
    """Return the notification of a saved result."""
    return Notification(**saved)


def many_to_json(notifications: list[Notification]) -> dict[str, Any]:
    """Return what ``many_from_json`` reads; what all have in common is said once."""
    rows = [notification._asdict() for notification in notifications]
    common = {name: value for name, value in rows[0].items() if all(row[name] == value for row in rows)}
    return {"common": common, "rows": [{name: row[name] for name in row.keys() - common.keys()} for row in rows]}


def many_from_json(saved: dict[str, Any]) -> list[Notification]:
    """Return the notifications of a saved result."""
    return [Notification(**saved["common"], **row) for row in saved["rows"]]
