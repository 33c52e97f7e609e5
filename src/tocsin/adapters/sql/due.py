"""
What decisions about many deliveries need, read together.

A statement for each delivery would give the interpreter lock up and take it back a dozen times,
and the event loop would wait for each. So one statement reads for all.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tocsin.adapters.sql import devices, inbox_queries, web_push
from tocsin.adapters.sql.connection import snapshot
from tocsin.adapters.sql.delivery_statements import SQL, TOGETHER
from tocsin.adapters.sql.preferences import combine
from tocsin.adapters.sql.schema import delivery_attempt, device, web_push_subscription
from tocsin.adapters.sql.transaction import Reader
from tocsin.application.deliveries import Due
from tocsin.domain.delivery import Attempt, Delivery
from tocsin.domain.notification import Notification

T = TypeVar("T")

_ATTEMPT = delivery_attempt.c.keys()


def load(reader: Reader, held: Sequence[Delivery], now: int) -> list[Due]:
    """Return each with all that a decision about it needs, as of one instant."""
    with snapshot(reader):
        return [
            due for start in range(0, len(held), TOGETHER) for due in _load(reader, held[start : start + TOGETHER], now)
        ]


def _load(reader: Reader, held: Sequence[Delivery], now: int) -> list[Due]:
    ids = [one.notification_id for one in held]
    users = list({one.user_id for one in held})
    notifications = {one.id: one for one in map(inbox_queries.from_row, _rows(reader, SQL.notifications_of, ids))}
    unread = dict(_rows(reader, SQL.unread_of, users, now))
    own = {row[0]: row[1] for row in _rows(reader, SQL.preferences_of, users)}
    said = reader.execute(SQL.default_preferences, {}).fetchone()
    defaults = None if said is None else said[0]
    fcm = _by_user(device.c.keys(), devices.from_row, _rows(reader, SQL.devices_of, users))
    browsers = _by_user(web_push_subscription.c.keys(), web_push.from_row, _rows(reader, SQL.web_push_of, users))
    attempts: defaultdict[str, list[Attempt]] = defaultdict(list)
    # Of one that is looked at for the first time there can be none.
    if seen := [one.notification_id for one in held if one.lease]:
        for attempt in map(attempt_from_row, _rows(reader, SQL.attempts_of, seen)):
            attempts[attempt.notification_id].append(attempt)
    return [
        Due(
            delivery=one,
            notification=notifications.get(one.notification_id),
            attempts=_of_this_life(one, notifications.get(one.notification_id), attempts.get(one.notification_id, ())),
            preferences=combine(own.get(one.user_id), defaults),
            unread=unread.get(one.user_id, 0),
            targets={"fcm": fcm.get(one.user_id, ()), "webpush": browsers.get(one.user_id, ())},
        )
        for one in held
    ]


def _of_this_life(held: Delivery, notification: Notification | None, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    """
    Leave out what was tried before a snooze: what has come back is pushed again.

    What the old ladder had sent may be taken back a moment after the new one has begun, which says nothing of that.
    """
    if notification is None or notification.created_at == held.created_at:
        return attempts
    found, sent = [], set()
    for attempt in attempts:
        if attempt.at < held.created_at:
            continue
        target = attempt.channel, attempt.target
        if attempt.outcome == "sent":
            sent.add(target)
        if attempt.outcome != "retracted" or target in sent:
            found.append(attempt)
    return found


def attempt_from_row(row: Sequence[Any]) -> Attempt:
    """Return the attempt of a row with all columns."""
    return Attempt(**dict(zip(_ATTEMPT[1:], row[1:], strict=True)))


def _rows(reader: Reader, statement: str, keys: Sequence[str], *values: int) -> list[Any]:
    padded = (*keys, *[None] * (TOGETHER - len(keys)))
    return reader.execute(statement, (*padded, *values)).fetchall()


def _by_user(columns: Sequence[str], from_row: Callable[[Sequence[Any]], T], rows: list[Any]) -> dict[str, list[T]]:
    place = columns.index("user_id")
    found: dict[str, list[T]] = {}
    for row in rows:
        found.setdefault(row[place], []).append(from_row(row))
    return found
