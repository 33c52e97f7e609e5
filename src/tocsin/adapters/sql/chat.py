"""Chat messages: stored once, told to both sides."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import orjson

from tocsin.adapters.sql import streams
from tocsin.adapters.sql.schema import message as table
from tocsin.adapters.sql.statements import SQLITE as SQL
from tocsin.adapters.sql.transaction import Transaction
from tocsin.domain.errors import KeyReused, NotFound
from tocsin.domain.identifier import new_id
from tocsin.domain.message import ADOPTED_MS, Message, MessageDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import iso_or_none
from tocsin.domain.user_id import UserId, user_id_json

NAMESPACE = "/chat"

_COLUMNS = tuple(column.name for column in table.c if column is not table.c.claimable_until)


def send(transaction: Transaction, draft: MessageDraft) -> Message:
    """
    Insert a message with its events, or return the one that is stored already.

    That is the first of its ``client_msg_id``, or with ``adopts_saved`` the
    oldest that a host's session saved and no other broadcast has claimed.
    """
    if draft.client_msg_id is not None:
        row = transaction.row(
            SQL.sent_message, {"from_user_id": draft.from_user_id, "client_msg_id": draft.client_msg_id}
        )
        if row is not None:
            sent = _from_row(row)
            if (sent.to_user_id, sent.message) != (draft.to_user_id, draft.message):
                raise KeyReused("this client_msg_id was used for another message")
            return sent
    return (draft.adopts_saved and _claim_saved(transaction, draft)) or _insert(transaction, draft)


def _claim_saved(transaction: Transaction, draft: MessageDraft) -> Message | None:
    row = transaction.row(
        SQL.claim_message,
        {
            "from_user_id": draft.from_user_id,
            "to_user_id": draft.to_user_id,
            "message": draft.message,
            "client_msg_id": draft.client_msg_id,
            "now": transaction.now,
            # After a clock was set back a message saved before is no younger than a minute.
            "latest": transaction.now + ADOPTED_MS,
            "limit": 1,
        },
    )
    return None if row is None else _from_row(row)


def _insert(transaction: Transaction, draft: MessageDraft) -> Message:
    # Counters in ascending user id, see streams.append_to_all.
    sides = sorted([(draft.to_user_id, 0, "message_received"), (draft.from_user_id, 1, "message_sent")])
    keys = {event: StreamKey(user_id, NAMESPACE) for user_id, _, event in sides}
    seqs = {event: streams.take_seq(transaction, key) for event, key in keys.items()}
    message = Message(
        id=new_id(),
        from_user_id=draft.from_user_id,
        to_user_id=draft.to_user_id,
        message=draft.message,
        client_msg_id=draft.client_msg_id,
        seq=seqs["message_received"],
        created_at=transaction.now,
    )
    transaction.execute(SQL.insert_message, {**asdict(message), "claimable_until": None})
    payload = orjson.dumps(message.json())
    streams.put_events(
        transaction,
        [streams.stamped(transaction, key, seqs[event], event, payload) for event, key in keys.items()],
    )
    return message


def mark_read(transaction: Transaction, reader_id: UserId, message_id: str) -> Message:
    """Set ``read_at`` of a message to the reader; nothing when it is read already."""
    row = transaction.row(SQL.received_message, {"id": message_id, "to_user_id": reader_id})
    if row is None:
        raise NotFound("there is no such message")
    message = _from_row(row)
    if message.read_at is not None:
        return message
    transaction.execute(SQL.set_message_read, {"id": message_id, "read_at": transaction.now})
    message = replace(message, read_at=transaction.now)
    payload = orjson.dumps(read_payload(message))
    streams.append_to_all(transaction, (message.from_user_id, message.to_user_id), NAMESPACE, "message_read", payload)
    return message


def read_payload(message: Message) -> dict[str, Any]:
    """Return what ``message_read`` says of a message that was read."""
    return {
        "message_id": message.id,
        "from_user_id": user_id_json(message.from_user_id),
        "to_user_id": user_id_json(message.to_user_id),
        "read_at": iso_or_none(message.read_at),
    }


def _from_row(row: Sequence[Any]) -> Message:
    return Message(**dict(zip(_COLUMNS, row, strict=True)))
