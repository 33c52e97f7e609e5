"""Notifications that are delivered later: kept as drafts, and made when their time comes."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import BindParameter, ColumnElement, bindparam, delete, func, insert, literal_column, select

from tocsin.adapters.sql import arrivals, fan_out
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.schema import scheduled as table
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.application.texts import Lang
from tocsin.domain.identifier import new_id
from tocsin.domain.notification import NotificationDraft, Scheduled, check_expiry
from tocsin.domain.user_id import UserId

_limit: BindParameter[int] = bindparam("limit")
_none_left_out: ColumnElement[int] = literal_column("0")
_INSERT = compiled(insert(table).values({column.name: bindparam(column.name) for column in table.c}))
_DELETE = compiled(delete(table).where(table.c.id == bindparam("id")))
_DUE = compiled(
    select(table)
    .where(table.c.due_at <= bindparam("now"))
    .order_by(table.c.due_at, table.c.id)
    .limit(_limit)
    .offset(_none_left_out)
)
_LIST = compiled(
    select(table).where(table.c.id > bindparam("after")).order_by(table.c.id).limit(_limit).offset(_none_left_out)
)
NEXT_DUE = compiled(select(func.min(table.c.due_at)))


def keep(
    transaction: Transaction, drafts: Sequence[NotificationDraft], deliver_at: int, topic: str | None
) -> list[Scheduled]:
    """Keep drafts until their time; of a topic there is one, for whoever follows it then."""
    check_expiry(drafts, transaction.now)
    kept = []
    for draft in drafts:
        one_id = new_id()
        row = {
            "id": one_id,
            "due_at": deliver_at,
            "user_id": None if topic else draft.user_id,
            "topic": topic,
            "draft": orjson.dumps({**draft._asdict(), "id": None if topic else one_id}),
            "created_at": transaction.now,
        }
        transaction.execute(_INSERT, row)
        kept.append(scheduled_from_row(list(row.values())))
    return kept


def deliver(transaction: Transaction, most: int, lang: Lang) -> int:
    """Make what is due; return how many rows were."""
    due = transaction.rows(_DUE, {"now": transaction.now, "limit": most})
    drafts = []
    for one_id, _, _, topic, encoded, _ in due:
        transaction.execute(_DELETE, {"id": one_id})
        fields = orjson.loads(encoded)
        if fields["expires_at"] is not None and fields["expires_at"] <= transaction.now:
            continue
        if topic is not None:
            fan_out.begin(transaction, one_id, topic, encoded)
        else:
            drafts.append(NotificationDraft(**fields))
    prepared = [arrivals.prepare(draft, lang) for draft in drafts]
    transaction.foresee(arrivals.foreseen(prepared))
    arrivals.create(transaction, prepared)
    return len(due)


def cancel(transaction: Transaction, one_id: str) -> bool:
    """Drop one that waits; return whether there was one."""
    return bool(transaction.execute(_DELETE, {"id": one_id}).rowcount)


def page(reader: Reader, after: str, limit: int) -> list[Scheduled]:
    """Return what waits, in the order in which it was accepted."""
    return [scheduled_from_row(row) for row in reader.execute(_LIST, {"after": after, "limit": limit})]


def scheduled_from_row(row: Sequence[Any]) -> Scheduled:
    """Return what waits, of a row with all columns."""
    one_id, due_at, user_id, topic, encoded, created_at = row
    fields = orjson.loads(encoded)
    return Scheduled(
        id=one_id,
        due_at=due_at,
        user_id=None if user_id is None else UserId(user_id),
        topic=topic,
        title=fields["title"] or fields["template"] or "",
        created_at=created_at,
    )
