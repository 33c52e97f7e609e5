"""Reads of inboxes. Expired notifications are in no answer and no count."""

from collections.abc import Sequence
from typing import Any

import orjson

from tocsin.adapters.sql import streams
from tocsin.adapters.sql.connection import snapshot
from tocsin.adapters.sql.inbox_statements import SQL
from tocsin.adapters.sql.transaction import Reader
from tocsin.domain.errors import NotFound
from tocsin.domain.notification import InboxFilter, InboxPage, InboxStats, Notification
from tocsin.domain.stream import Head, StreamKey
from tocsin.domain.user_id import UserId

_DATA = Notification._fields.index("data")
_ACTORS = Notification._fields.index("group_actors")
_BEYOND = 2**63 - 1


def from_row(row: Sequence[Any]) -> Notification:
    """Return the notification of a row with all columns."""
    values = list(row)
    values[_DATA] = orjson.loads(row[_DATA])
    if row[_ACTORS] is not None:
        values[_ACTORS] = orjson.loads(row[_ACTORS])
    return Notification._make(values)


def get(connection: Reader, user_id: UserId, notification_id: str, now: int) -> Notification:
    """Return one of the user's own."""
    wanted = {"id": notification_id, "user_id": user_id, "now": now}
    row = connection.execute(SQL.own_notification, wanted).fetchone()
    if row is None:
        raise NotFound("there is no such notification")
    return from_row(row)


def page(
    connection: Reader, user_id: UserId, wanted: InboxFilter, *, before: int | None, limit: int, now: int
) -> InboxPage:
    """Return list, unread count and the stream's head as of one instant."""
    statement = SQL.list_of(wanted)
    values = {
        "user_id": user_id,
        "now": now,
        "before": _BEYOND if before is None else before,
        "category": wanted.category,
        "type": wanted.type,
        "digest_id": wanted.digest_id,
        "limit": limit + 1,  # one more shows whether a page follows
    }
    with snapshot(connection):
        rows = connection.execute(statement, values).fetchall()
        head = streams.head(connection, StreamKey(user_id, "/notifications"))
        unread = _unread(connection, head, values)
    shown = [from_row(row) for row in rows[:limit]]
    return InboxPage(shown, shown[-1].seq if len(rows) > limit else None, unread, head.seq)


def _unread(connection: Reader, head: Head, values: dict[str, Any]) -> int:
    """Return the badge: as the stream counts it, without what has expired and is not yet taken out."""
    if head.unread is None:
        return int(connection.execute(SQL.count_unread, values).fetchone()[0])
    return head.unread - int(connection.execute(SQL.count_overdue, values).fetchone()[0])


def stats(connection: Reader, user_id: UserId, now: int) -> InboxStats:
    """Return the counts of one instant."""
    values = {"user_id": user_id, "now": now}
    with snapshot(connection):
        by_category = connection.execute(SQL.count_by_category, values).fetchall()
        total = connection.execute(SQL.count_total, values).fetchone()[0]
    return InboxStats(
        unread=sum(unread for _, unread, _ in by_category),
        unseen=sum(unseen for _, _, unseen in by_category),
        total=total,
        by_category={category or "": unread for category, unread, _ in by_category},
    )
