"""
What time alone changes in inboxes: what was snoozed comes back, digests come, what has expired goes.

Each is told by an event in the transaction that changes the rows, so that it is so everywhere at
once, and once: another process that looks at the same instant finds nothing left.
"""

from collections.abc import Sequence
from operator import itemgetter

import orjson

from tocsin.adapters.sql import deliveries, streams
from tocsin.adapters.sql.arrivals import NAMESPACE, row_of, tell, told, with_unread
from tocsin.adapters.sql.inbox_queries import from_row
from tocsin.adapters.sql.inbox_statements import SQL
from tocsin.adapters.sql.preferences import effective, foreseen
from tocsin.adapters.sql.transaction import Foreseen, Reader, Transaction
from tocsin.adapters.sql.words import words
from tocsin.application.texts import Lang
from tocsin.domain.notification import Notification
from tocsin.domain.preference import Preferences
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId

# Of a digest, the latest that its card shows at once; the others are listed by its id.
SHOWN = 5
_of_user = itemgetter(1)


def wake(transaction: Transaction, most: int, lang: Lang) -> int:
    """Bring back what was snoozed until now, and make digests of what waits for one; return how many rows were due."""
    due = [from_row(row) for row in transaction.rows(SQL.due_snoozed, {"now": transaction.now, "limit": most})]
    users = {one.user_id for one in due}
    transaction.foresee(Foreseen([StreamKey(user_id, NAMESPACE) for user_id in users], foreseen(users)))
    digests: dict[str, Notification] = {}
    for one in sorted(due, key=lambda found: (found.user_id, found.seq)):
        if one.digest_id is None:
            _bring_back(transaction, one, effective(transaction, one.user_id))
        elif one.digest_id not in digests:
            digests[one.digest_id] = one
            _digest(transaction, one, one.digest_id, lang)
    return len(due)


def expire(transaction: Transaction, most: int) -> int:
    """Take out what has expired; return how many."""
    due = transaction.rows(SQL.due_expired, {"now": transaction.now, "limit": most})
    transaction.foresee(Foreseen([StreamKey(UserId(row[1]), NAMESPACE) for row in due]))
    for notification_id, user_id, *marks in sorted(due, key=_of_user):
        transaction.execute(SQL.delete_notification, {"id": notification_id})
        was_unread = all(mark is None for mark in marks)
        payload = {"id": notification_id, "reason": "expired"}
        tell(transaction, UserId(user_id), "notification_deleted", payload, -int(was_unread))
        deliveries.end(transaction, UserId(user_id), notification_id, "expired")
    return len(due)


def _bring_back(transaction: Transaction, snoozed: Notification, wanted: Preferences) -> None:
    key = StreamKey(snoozed.user_id, NAMESPACE)
    seq, unread = streams.count(transaction, key, 1)
    transaction.execute(SQL.bring_back, {"id": snoozed.id, "seq": seq})
    back = snoozed._replace(seq=seq, snoozed_until=None, read_at=None, seen_at=None, digest_id=None)
    event, payload = told(back, wanted, transaction.now)
    encoded = with_unread(payload, unread)
    streams.put_events(transaction, [streams.stamped(transaction, key, seq, event, encoded)])
    # Its ladder begins anew: what was pushed when it came first has been taken back.
    if back.claimed_by is None:
        deliveries.add(transaction, [back._replace(created_at=transaction.now)])


def _digest(transaction: Transaction, held: Notification, digest_id: str, lang: Lang) -> None:
    of_digest = {"digest_id": digest_id, "limit": SHOWN}
    latest = [from_row(row) for row in transaction.rows(SQL.digested, of_digest)]
    (count,) = transaction.row(SQL.count_digested, of_digest)
    wanted = effective(transaction, held.user_id)
    now = transaction.now
    if count <= 1 or transaction.row(SQL.marks, {"id": digest_id}) is not None:
        # Alone it is no digest; and what a slow clock added to one that has come needs no second card.
        for one in latest:
            _bring_back(transaction, one, wanted)
        if count <= len(latest):
            _archive_held(transaction, held.user_id, digest_id)  # what was read while it waited
        return
    first = latest[0]
    _archive_held(transaction, held.user_id, digest_id)
    if wanted.rule(first.category).inbox is False:
        return  # its user wants none of it meanwhile
    values = {"count": count, "category": first.category, "titles": [one.title for one in latest]}
    title, message = words(transaction, "digest", values, wanted.locale, lang) or ("", "")
    key = StreamKey(first.user_id, NAMESPACE)
    seq, unread = streams.count(transaction, key, 1)
    items = [{"id": one.id, "type": one.type, "title": one.title, "timestamp": iso(one.created_at)} for one in latest]
    card = Notification(
        id=digest_id,
        user_id=first.user_id,
        seq=seq,
        type="digest",
        title=title or str(count),
        message=message,
        data={"items": items},
        category=first.category,
        priority="normal",
        sound=None,
        created_at=now,
        digest_count=count,
    )
    event, payload = told(card, wanted, now)
    transaction.execute_many(SQL.insert_notification, [row_of(card, orjson.dumps(card.data))])
    streams.put_events(transaction, [streams.stamped(transaction, key, seq, event, with_unread(payload, unread))])
    deliveries.add(transaction, [card])


def _archive_held(transaction: Transaction, user_id: UserId, digest_id: str) -> None:
    now = transaction.now
    if transaction.execute(SQL.archive_digested, {"digest_id": digest_id, "archived_at": now}).rowcount:
        gone = {"digest": {"id": digest_id, "count": None}, "snoozed_until": None, "archived_at": iso(now)}
        tell(transaction, user_id, "notification_updated", gone)


def find_orphans(reader: Reader, most: int) -> list[str]:
    """Return groups that no card is left of, a number at ``most``; each group that there is is looked at."""
    return [row[0] for row in reader.execute(SQL.find_orphans, {"limit": most})]


def forget_groups(transaction: Transaction, group_ids: Sequence[str]) -> int:
    """Drop who was counted in groups, as far as no card is left of them; return how many."""
    deleted = [transaction.execute(SQL.delete_orphans, {"group_id": group_id}) for group_id in group_ids]
    return sum(one.rowcount for one in deleted)


def count_unread(transaction: Transaction) -> None:
    """Count the unread of inboxes whose streams do not tell yet: a host's migration adds the column empty."""
    transaction.execute(SQL.count_uncounted, {})
