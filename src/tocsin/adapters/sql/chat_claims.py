"""
Which message that a host's session saved is the one that the host broadcasts next.

The oldest of the same users and text that no other broadcast has claimed, for a minute. One that was edited or
taken back before its broadcast came is found by a note of what it said, under which a digest stands, not the text.
"""

from hashlib import sha256
from typing import Any

import orjson

from tocsin.adapters.sql.chat_statements import SQL
from tocsin.adapters.sql.statements import SQL as KEYS
from tocsin.adapters.sql.transaction import Transaction
from tocsin.domain.message import ADOPTED_MS, Message, MessageDraft

# No principal of REST, whose names have a line for the scopes; what is old is pruned with their keys.
_OWNER = "saved message"


def claim(transaction: Transaction, draft: MessageDraft) -> Any:
    """Return the row of the message that a broadcast is, which no other is then; None: it is a new one."""
    wanted = {"message": draft.message, "client_msg_id": draft.client_msg_id}
    row = transaction.row(
        SQL.claim_message,
        wanted
        | {
            "from_user_id": draft.from_user_id,
            "to_user_id": draft.to_user_id,
            "now": transaction.now,
            # After a clock was set back a message saved before is no younger than a minute.
            "latest": transaction.now + ADOPTED_MS,
            "limit": 1,
        },
    )
    if row is not None:
        return row
    key = _key(draft)
    while noted := _noted(transaction, key):
        (message_id, until), *rest = noted
        _note(transaction, key, rest)
        if transaction.now < until <= transaction.now + ADOPTED_MS:
            return transaction.row(SQL.adopt_message, {"id": message_id, "client_msg_id": draft.client_msg_id})
    return None


def keep(transaction: Transaction, message: Message) -> None:
    """Let a message that is about to be edited or taken back be found by what it says now."""
    (until,) = transaction.row(SQL.message_claimable_until, {"id": message.id})
    if until is not None and until > transaction.now:
        key = _key(message)
        _note(transaction, key, [*_noted(transaction, key), (message.id, until)])


def _key(message: Message | MessageDraft) -> str:
    told = [message.from_user_id, message.to_user_id, message.message]
    return sha256(orjson.dumps(told)).hexdigest()


def _noted(transaction: Transaction, key: str) -> list[tuple[str, int]]:
    row = transaction.row(KEYS.find_key, {"owner": _OWNER, "key": key})
    return [] if row is None else orjson.loads(row[1])


def _note(transaction: Transaction, key: str, noted: list[tuple[str, int]]) -> None:
    values = {"owner": _OWNER, "key": key, "fingerprint": b"", "created_at": transaction.now}
    transaction.execute(KEYS.save_key, values | {"result": orjson.dumps(noted)})
