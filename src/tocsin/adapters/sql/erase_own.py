"""
What a user owns, deleted in short turns: each finds its rows by an index and is a transaction of its own.

``KEPT`` and ``MENTIONS`` (see ``erase_mentions``) name all other tables; a test compares the three with the schema.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, bindparam, delete, literal_column, select, tuple_, update

from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.schema import (
    channel,
    conversation,
    delivery,
    delivery_attempt,
    device,
    e2ee_device,
    e2ee_one_time_key,
    e2ee_to_device,
    last_seen,
    notification,
    preference,
    stream,
    stream_event,
    topic_subscription,
    web_push_subscription,
)
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Transaction
from tocsin.domain.stream import StreamKey, ground_of
from tocsin.domain.user_id import UserId

_ZERO: ColumnElement[int] = literal_column("0")

# The ladders first: from then on nothing is pushed.
_PLAIN = (
    delivery,
    device,
    web_push_subscription,
    channel,
    topic_subscription,
    preference,
    e2ee_device,
    e2ee_one_time_key,
    e2ee_to_device,
    last_seen,
    conversation,
    stream_event,
)
OWNED = frozenset({*_PLAIN, notification, stream})


def _some(table: Table, *conditions: ColumnElement[bool]) -> Any:
    mine = table.c.user_id == bindparam("user_id")
    return select(*table.primary_key).where(mine, *conditions).limit(bindparam("limit")).offset(_ZERO)


def _delete_some(table: Table) -> str:
    key: Sequence[Column[Any]] = [*table.primary_key]
    its: ColumnElement[Any] = tuple_(*key) if len(key) > 1 else key[0]
    return compiled(delete(table).where(its.in_(_some(table))))


_DELETE = [_delete_some(table) for table in _PLAIN]
_is_in = and_(notification.c.archived_at.is_(None), notification.c.snoozed_until.is_(None))
# Every notification is in one of these at least, and each has its index.
_NOTIFICATIONS = [
    compiled(_some(notification, part))
    for part in (_is_in, notification.c.archived_at.is_not(None), notification.c.snoozed_until.is_not(None))
]
_DELETE_NOTIFICATION = compiled(delete(notification).where(notification.c.id == bindparam("id")))
_DELETE_ATTEMPTS = compiled(delete(delivery_attempt).where(delivery_attempt.c.notification_id == bindparam("id")))
_mine = stream.c.user_id == bindparam("user_id")
_CLOSE_STREAMS = compiled(update(stream).values(pruned=stream.c.seq).where(_mine))
_HEADS = compiled(select(stream.c.namespace, stream.c.seq, stream.c.unread).where(_mine))
_DELETE_STREAMS = compiled(delete(stream).where(_mine))


def turn(transaction: Transaction, user_id: UserId, most: int) -> tuple[int, bool]:
    """
    Delete a number of rows at ``most``; return how many, and whether none is left.

    The streams go with the last of the rows, in one transaction: no row that they tell of outlives them.
    """
    mine = {"user_id": user_id}
    # Whoever resumes is told that nothing of it is kept; and a writer of another node who is at it begins anew.
    transaction.execute(_CLOSE_STREAMS, mine)
    left = most
    for statement in _DELETE[:1]:
        left -= transaction.execute(statement, {**mine, "limit": left}).rowcount
    for query in _NOTIFICATIONS:
        found = [{"id": row[0]} for row in transaction.rows(query, {**mine, "limit": left})] if left else []
        transaction.execute_many(_DELETE_ATTEMPTS, found)
        transaction.execute_many(_DELETE_NOTIFICATION, found)
        left -= len(found)
    for statement in _DELETE[1:]:
        left -= transaction.execute(statement, {**mine, "limit": left}).rowcount if left else 0
    if not left:
        return most, False
    for namespace, seq, unread in transaction.rows(_HEADS, mine):
        # Above the head, so that who has seen it is told as well, should the user come back.
        place = ground_of(StreamKey(user_id, namespace))
        nothing = None if unread is None else 0
        transaction.execute(SQL.raise_ground, {**place._asdict(), "ground": seq + 1, "unread": nothing})
    streams = transaction.execute(_DELETE_STREAMS, mine).rowcount
    return most - left + streams, True
