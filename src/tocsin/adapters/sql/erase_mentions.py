"""
What others keep that names an erased user: an alias takes the place of the id, what the user has written goes.

Found by looking through whole tables on a reader (``pages``), changed by key in short turns of the writer. Streams of
others that name the user are cut off at their head: whoever follows one is told to fetch the state anew, where
nobody is named any more. What a back end has put into words, or into the ``data`` of others' notifications, stays.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, func, literal_column, null, or_, update

from tocsin.adapters.sql.contains import contains
from tocsin.adapters.sql.dialects import compiled, upsert
from tocsin.adapters.sql.pages import PAGE, Pages
from tocsin.adapters.sql.schema import (
    conversation,
    delivery_attempt,
    e2ee_to_device,
    erasure,
    fan_out,
    group_member,
    idempotency_key,
    life,
    message,
    notification,
    revocation,
    scheduled,
    template,
    vapid_key,
    version,
)
from tocsin.adapters.sql.transaction import Outcome, Transaction
from tocsin.domain.erasure import Erasure, scrubbed, without_actor
from tocsin.domain.user_id import UserId

# What is nobody's. The row of an erasure goes with its end, one of a revocation when the tokens have expired.
KEPT = frozenset({life, vapid_key, template, version, erasure, revocation})

Row = dict[str, Any]
Change = Callable[[Transaction, Erasure, Row], Sequence[Outcome]]

_user: ColumnElement[str] = bindparam("user_id", type_=message.c.from_user_id.type)


@dataclass(frozen=True, slots=True)
class Mention:
    """
    Where a table may name a user.

    Attributes:
        change: Takes the name out of one row, as it is in the transaction; with one whose name is gone already it
            does nothing. What came of it is returned, and not waited for.
    """

    table: Table
    pages: Pages
    change: Change


def values(wanted: Erasure) -> Row:
    """Return the parameters of every condition here."""
    # As it stands inside of JSON, quoted or not; the row that is found is looked at more closely.
    part, inner_part = _in_json(wanted.user_id)
    return {"user_id": wanted.user_id, "part": part, "inner_part": inner_part}


def _in_json(user_id: UserId) -> tuple[bytes, bytes]:
    part = orjson.dumps(user_id)[1:-1]
    return part, orjson.dumps(part.decode())[1:-1]


def may_name(user_id: UserId) -> Callable[[Row], bool]:
    """Return what tells rows in whose JSON an id stands by itself from those that merely have its characters."""
    either = b"|".join(map(re.escape, _in_json(user_id)))
    by_itself = re.compile(rb'["\[:,](?:' + either + rb')["\\,}\].]')

    def look(row: Row) -> bool:
        encoded = [value for value in row.values() if isinstance(value, bytes)]
        if not encoded or any(map(by_itself.search, encoded)):
            return True
        return any(isinstance(value, str) and value.rpartition("\n")[2] == user_id for value in row.values())

    return look


def _names(column: Any, part: str = "part") -> ColumnElement[bool]:
    return contains(column, bindparam(part, type_=column.type))


def _by_id(table: Table) -> ColumnElement[bool]:
    return table.c.id == bindparam("id")


# Messages: the place in the conversation stays, and the seq.

_is_sender = message.c.from_user_id == _user
_is_recipient = message.c.to_user_id == _user
_DELETE_OWN = compiled(delete(message).where(_by_id(message), _is_sender, _is_recipient))
_empty: Row = {name: null() for name in ("client_msg_id", "claimable_until", "attachments", "ciphertext")}
_EMPTY = compiled(
    update(message)
    .values(
        from_user_id=bindparam("alias"),
        message=literal_column("''"),
        deleted_at=func.coalesce(message.c.deleted_at, bindparam("now", type_=message.c.deleted_at.type)),
        **_empty,
    )
    .where(_by_id(message), _is_sender)
)
_READDRESS = compiled(update(message).values(to_user_id=bindparam("alias")).where(_by_id(message), _is_recipient))


def _change_message(transaction: Transaction, wanted: Erasure, row: Row) -> Sequence[Outcome]:
    one = {"id": row["id"], "user_id": wanted.user_id, "alias": wanted.alias}
    if row["from_user_id"] != wanted.user_id:
        return [transaction.execute(_READDRESS, one)]
    if row["to_user_id"] != wanted.user_id:
        return [transaction.execute(_EMPTY, {**one, "now": transaction.now})]
    return [transaction.execute(_DELETE_OWN, {"id": row["id"], "user_id": wanted.user_id})]


_is_its = and_(conversation.c.user_id == bindparam("owner"), conversation.c.peer_id == _user)
_DELETE_CONVERSATION = compiled(delete(conversation).where(_is_its))
_first = upsert(conversation).values({column.name: bindparam(column.name) for column in conversation.c})
_SAVE_CONVERSATION = compiled(
    _first.on_conflict_do_update(
        index_elements=[conversation.c.user_id, conversation.c.peer_id],
        set_={"last_message_id": _first.excluded.last_message_id},
    )
)


def _change_conversation(transaction: Transaction, wanted: Erasure, row: Row) -> Sequence[Outcome]:
    gone = transaction.execute(_DELETE_CONVERSATION, {"owner": row["user_id"], "user_id": wanted.user_id})
    if row["last_message_id"] is not None:
        transaction.execute(_SAVE_CONVERSATION, {**row, "peer_id": wanted.alias})
    return [gone]


# Cards of others

_SET_ACTORS = compiled(update(notification).values(group_actors=bindparam("actors")).where(_by_id(notification)))
_SET_CLAIMED = compiled(
    update(notification)
    .values(claimed_by=bindparam("alias"))
    .where(_by_id(notification), notification.c.claimed_by == _user)
)


def _change_notification(transaction: Transaction, wanted: Erasure, row: Row) -> Sequence[Outcome]:
    changed: list[Outcome] = []
    if row["claimed_by"] == wanted.user_id:
        one = {"id": row["id"], "user_id": wanted.user_id, "alias": wanted.alias}
        changed = [transaction.execute(_SET_CLAIMED, one)]
    actors = [] if row["group_actors"] is None else orjson.loads(row["group_actors"])
    left = without_actor(actors, wanted.user_id)
    if len(left) < len(actors):
        changed = [transaction.execute(_SET_ACTORS, {"id": row["id"], "actors": orjson.dumps(left)})]
    return changed


# Rows that go


def _delete_by_key(table: Table) -> Change:
    names = [column.name for column in table.primary_key]
    statement = compiled(delete(table).where(*(table.c[name] == bindparam(name) for name in names)))

    def change(transaction: Transaction, _: Erasure, row: Row) -> Sequence[Outcome]:
        return [transaction.execute(statement, {name: row[name] for name in names})]

    return change


# JSON of the server's own


def _rewrite(table: Table, columns: Sequence[str]) -> Change:
    names = [column.name for column in table.primary_key]
    its = and_(*(table.c[name] == bindparam(f"key_{name}") for name in names))
    statement = compiled(update(table).values({name: bindparam(name) for name in columns}).where(its))

    def change(transaction: Transaction, wanted: Erasure, row: Row) -> Sequence[Outcome]:
        new = {name: _without(row[name], wanted) for name in columns}
        if all(new[name] == row[name] for name in columns):
            return []
        return [transaction.execute(statement, {**new, **{f"key_{name}": row[name] for name in names}})]

    return change


def _without(encoded: Any, wanted: Erasure) -> Any:
    if not isinstance(encoded, bytes):
        return wanted.alias if encoded == wanted.user_id else encoded
    value = orjson.loads(encoded)
    rewritten = scrubbed(value, wanted)
    return encoded if rewritten == value else orjson.dumps(rewritten)


# Jobs

_REWRITE_JOB = compiled(
    update(fan_out)
    .values({name: bindparam(name) for name in ("draft", "user_ids", "last_user_id")})
    .where(_by_id(fan_out))
)


def _change_job(transaction: Transaction, wanted: Erasure, row: Row) -> Sequence[Outcome]:
    users = None if row["user_ids"] is None else orjson.loads(row["user_ids"])
    left = None if users is None else [one for one in users if one != wanted.user_id]
    new = {
        "draft": _without(row["draft"], wanted),
        "user_ids": row["user_ids"] if left == users else orjson.dumps(left),
        # Where a job that runs stands is an order and no mention: it moves on.
        "last_user_id": "" if row["last_user_id"] == wanted.user_id and row["state"] == "done" else row["last_user_id"],
    }
    if all(new[name] == row[name] for name in new):
        return []
    return [transaction.execute(_REWRITE_JOB, {**new, "id": row["id"]})]


_delete_key = _delete_by_key(idempotency_key)
_rewrite_key = _rewrite(idempotency_key, ["result"])


def _change_key(transaction: Transaction, wanted: Erasure, row: Row) -> Sequence[Outcome]:
    # A back end's key stays, or its retry would reach the others of a list twice.
    is_own = row["owner"].endswith("\n" + wanted.user_id)
    return (_delete_key if is_own else _rewrite_key)(transaction, wanted, row)


_delete_scheduled = _delete_by_key(scheduled)
_rewrite_scheduled = _rewrite(scheduled, ["draft"])


def _change_scheduled(transaction: Transaction, wanted: Erasure, row: Row) -> Sequence[Outcome]:
    is_own = row["user_id"] == wanted.user_id
    return (_delete_scheduled if is_own else _rewrite_scheduled)(transaction, wanted, row)


def _mention(table: Table, condition: ColumnElement[bool], change: Change, *columns: str, page: int = PAGE) -> Mention:
    return Mention(table, Pages(table, condition, columns, page), change)


_owner, _result = idempotency_key.c.owner, idempotency_key.c.result
# The payload of an event stands in it as a string, encoded twice.
_is_in_key = or_(contains(_owner, _user), _names(_result), _names(_result, "inner_part"))
MENTIONS = (
    _mention(message, or_(_is_sender, _is_recipient), _change_message, "from_user_id", "to_user_id"),
    _mention(conversation, conversation.c.peer_id == _user, _change_conversation, "last_message_id", "blocked_at"),
    _mention(
        notification,
        or_(notification.c.claimed_by == _user, _names(notification.c.group_actors)),
        _change_notification,
        *("claimed_by", "group_actors"),
    ),
    _mention(group_member, group_member.c.actor_id == _user, _delete_by_key(group_member)),
    _mention(
        scheduled, or_(scheduled.c.user_id == _user, _names(scheduled.c.draft)), _change_scheduled, "user_id", "draft"
    ),
    _mention(
        fan_out,
        or_(fan_out.c.last_user_id == _user, _names(fan_out.c.draft), _names(fan_out.c.user_ids)),
        _change_job,
        *("draft", "user_ids", "last_user_id", "state"),
    ),
    # What came of a write to a thousand is big.
    _mention(idempotency_key, _is_in_key, _change_key, "result", page=1_000),
    _mention(delivery_attempt, delivery_attempt.c.user_id == _user, _delete_by_key(delivery_attempt)),
    _mention(e2ee_to_device, e2ee_to_device.c.from_user_id == _user, _delete_by_key(e2ee_to_device)),
)
