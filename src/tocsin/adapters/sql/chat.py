"""
Chat in transactions: messages stored once and told to both sides, receipts that only go forward.

Everything that takes counters of two users takes them in ascending user id, see ``streams.append_to_all``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import orjson

from tocsin.adapters.sql import chat_claims, streams
from tocsin.adapters.sql.chat_statements import FIELDS, SQL
from tocsin.adapters.sql.transaction import Foreseen, Look, Reader, Transaction
from tocsin.domain.conversation import MAX_BLOCKED
from tocsin.domain.errors import Conflict, Forbidden, KeyReused, NotFound
from tocsin.domain.identifier import id_after, new_id
from tocsin.domain.message import Message, MessageDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId, user_id_json

NAMESPACE = "/chat"

_NAMES = tuple(column.name for column in FIELDS)
_BLOBS = ("attachments", "ciphertext")
# How many messages back an unblock looks for what was read meanwhile; a receipt covers all before it, too.
_LATEST = 1_000


def foreseen(draft: MessageDraft) -> Foreseen:
    """Return what ``send`` will ask for."""
    looks: list[Look] = [(SQL.latest_between, _between(draft.from_user_id, draft.to_user_id))]
    if draft.client_msg_id is not None:
        looks.append((SQL.sent_message, _sent(draft)))
    if draft.is_by_user:
        looks.append((SQL.blocks_between, _between(draft.from_user_id, draft.to_user_id)))
    return Foreseen([StreamKey(user_id, NAMESPACE) for user_id in (draft.from_user_id, draft.to_user_id)], looks)


def _sent(draft: MessageDraft) -> dict[str, Any]:
    return {"from_user_id": draft.from_user_id, "client_msg_id": draft.client_msg_id}


def _between(from_user_id: UserId, to_user_id: UserId) -> dict[str, Any]:
    return {"user_id": from_user_id, "peer_id": to_user_id}


def send(transaction: Transaction, draft: MessageDraft) -> Message:
    """
    Insert a message with its events, or return the one that is stored already.

    That is the first of its ``client_msg_id``, or with ``adopts_saved`` the
    oldest that a host's session saved and no other broadcast has claimed.
    """
    if draft.client_msg_id is not None:
        row = transaction.row(SQL.sent_message, _sent(draft))
        if row is not None:
            return _same(transaction, from_row(row), draft)
    if draft.is_by_user:
        _refuse_blocked(transaction, draft.from_user_id, draft.to_user_id)
    saved = chat_claims.claim(transaction, draft) if draft.adopts_saved else None
    return _insert(transaction, draft) if saved is None else from_row(saved)


def _same(transaction: Transaction, sent: Message, draft: MessageDraft) -> Message:
    # One that was edited or taken back since is still the one that was sent.
    is_changed = sent.edited_at is not None or sent.deleted_at is not None
    told, asked = (sent.message, sent.ciphertext), (draft.message, draft.ciphertext)
    if sent.to_user_id != draft.to_user_id or (not is_changed and told != asked):
        raise KeyReused("this client_msg_id was used for another message")
    if not draft.is_by_user or sent.delivered_at is None:
        return sent
    (since,) = transaction.row(SQL.blocked_since, _between(draft.from_user_id, draft.to_user_id))
    return sent if since is None else sent.without_receipts_since(since)


def _refuse_blocked(transaction: Transaction, from_user_id: UserId, to_user_id: UserId) -> None:
    blockers = transaction.rows(SQL.blocks_between, _between(from_user_id, to_user_id))
    if (from_user_id,) in [tuple(row) for row in blockers]:
        raise Forbidden("you have blocked this user: unblock them to write to them")
    if blockers:
        raise Forbidden("this user takes no messages from you")


def _insert(transaction: Transaction, draft: MessageDraft) -> Message:
    sides = sorted([(draft.to_user_id, 0, "message_received"), (draft.from_user_id, 1, "message_sent")])
    keys = {event: StreamKey(user_id, NAMESPACE) for user_id, _, event in sides}
    seqs = {event: streams.take_seq(transaction, key) for event, key in keys.items()}
    message = Message(
        id=next_id(transaction, draft.from_user_id, draft.to_user_id),
        from_user_id=draft.from_user_id,
        to_user_id=draft.to_user_id,
        message=draft.message,
        client_msg_id=draft.client_msg_id,
        seq=seqs["message_received"],
        created_at=transaction.now,
        attachments=draft.attachments,
        ciphertext=draft.ciphertext,
    )
    transaction.execute_many(SQL.insert_message, [{**_to_row(message), "claimable_until": None}])
    touch(transaction, message.from_user_id, message.to_user_id, message.id)
    payload = orjson.dumps(message.json())
    streams.put_events(
        transaction,
        [streams.stamped(transaction, key, seqs[event], event, payload) for event, key in keys.items()],
    )
    return message


def next_id(transaction: Transaction, from_user_id: UserId, to_user_id: UserId) -> str:
    """Return an id behind all of a conversation, whatever the clocks say; the counters of both are taken already."""
    (latest,) = transaction.row(SQL.latest_between, _between(from_user_id, to_user_id))
    return new_id() if latest is None else id_after(latest)


def touch(transaction: Transaction, from_user_id: UserId, to_user_id: UserId, message_id: str) -> None:
    """Let both users have a conversation whose latest message is this one."""
    transaction.execute_many(
        SQL.touch_conversation,
        [
            {"user_id": user_id, "peer_id": peer_id, "last_message_id": message_id, "blocked_at": None}
            for user_id, peer_id in sorted({(from_user_id, to_user_id), (to_user_id, from_user_id)})
        ],
    )


# Receipts


def mark_read(transaction: Transaction, reader_id: UserId, message_id: str) -> Message:
    """Set ``read_at`` of a message to the reader and of all before it; nothing when it is read already."""
    row = transaction.row(SQL.received_message, {"id": message_id, "to_user_id": reader_id})
    if row is None:
        raise NotFound("there is no such message")
    message = from_row(row)
    if (read := set_read_up_to(transaction, message)) is not None:
        read_at = message.read_at or read.at
        message = replace(message, read_at=read_at, delivered_at=message.delivered_at or read_at)
        streams.append_to_all(transaction, read.told, NAMESPACE, "message_read", read_payload(message, read_at))
    return message


def mark_conversation_read(transaction: Transaction, reader_id: UserId, from_user_id: UserId) -> str | None:
    """Do so for the latest message from a user; return its id, or None when there is none."""
    wanted = {"to_user_id": reader_id, "from_user_id": from_user_id}
    message_id: str | None = transaction.row(SQL.newest_received, wanted)[0]
    if message_id is not None:
        mark_read(transaction, reader_id, message_id)
    return message_id


class Read(NamedTuple):
    """When messages were marked as read, and whom to tell."""

    at: int
    told: Sequence[UserId]


def set_read_up_to(transaction: Transaction, message: Message) -> Read | None:
    """
    Mark a message and all before it of the same sender as read; None: all were.

    Where one of both has blocked the other, the sender is told when the block ends, see ``unblock``.
    """
    users = {"from_user_id": message.from_user_id, "to_user_id": message.to_user_id}
    between = _between(message.from_user_id, message.to_user_id)
    (since,) = transaction.row(SQL.blocked_since, between)
    if since is None:
        read = Read(transaction.now, tuple(users.values()))
    else:
        # Whoever ends it at this instant meets us there, and what the clock was set back by makes no difference.
        transaction.execute(SQL.touch_blocks, between)
        read = Read(max(transaction.now, since + 1), (message.to_user_id,))
    marked = transaction.execute(SQL.set_read_up_to, {"id": message.id, **users, "read_at": read.at}).rowcount
    return read if marked else None


def read_payload(message: Message, read_at: int) -> bytes:
    """Return what ``message_read`` says: this message, and all before it of the same sender, are read."""
    return orjson.dumps(message.mark(read_at=iso(read_at)))


def undelivered_senders(reader: Reader, acked: Mapping[UserId, int]) -> set[StreamKey]:
    """Return the streams of those whom ``mark_delivered`` would tell now."""
    wanted = [{"to_user_id": user_id, "acked": seq} for user_id, seq in acked.items()]
    return {
        StreamKey(UserId(row[0]), NAMESPACE) for values in wanted for row in reader.execute(SQL.undelivered, values)
    }


def mark_delivered(transaction: Transaction, acked: Mapping[UserId, int]) -> None:
    """Note that devices of users have all messages to them up to a seq of their streams, and tell the senders."""
    wanted = [{"to_user_id": user_id, "acked": seq} for user_id, seq in acked.items()]
    transaction.foresee(Foreseen(looks=[(SQL.undelivered, values) for values in wanted]))
    found = [
        (UserId(from_user_id), user_id, message_id)
        for user_id, values in zip(acked, wanted, strict=True)
        for from_user_id, message_id in transaction.rows(SQL.undelivered, values)
    ]
    pairs = [_between(from_user_id, user_id) for from_user_id, user_id, _ in found]
    transaction.foresee(
        Foreseen(
            [StreamKey(one, NAMESPACE) for *users, _ in found for one in users],
            [(SQL.blocks_between, pair) for pair in pairs],
        )
    )
    for from_user_id, user_id, message_id in found:
        # Between two of whom one has blocked the other nothing is told; it is when the block has ended.
        if transaction.rows(SQL.blocks_between, _between(from_user_id, user_id)):
            continue
        values = {"id": message_id, "from_user_id": from_user_id, "to_user_id": user_id}
        transaction.execute(SQL.set_delivered_up_to, values | {"delivered_at": transaction.now})
        told = _receipt(from_user_id, user_id, message_id, delivered_at=iso(transaction.now))
        streams.append_to_all(transaction, (from_user_id, user_id), NAMESPACE, "message_delivered", told)


def _receipt(from_user_id: UserId, to_user_id: UserId, message_id: str, **mark: str) -> bytes:
    users = {"from_user_id": user_id_json(from_user_id), "to_user_id": user_id_json(to_user_id)}
    return orjson.dumps({"message_id": message_id, **users, **mark})


# Changes


def edit(
    transaction: Transaction, sender_id: UserId, message_id: str, text: str, ciphertext: dict[str, Any] | None
) -> Message:
    """Change the text of an own message, for both sides; the same text again changes nothing."""
    message = _own(transaction, sender_id, message_id)
    # Another text is a message like a new one; to take one back is not.
    _refuse_blocked(transaction, message.from_user_id, message.to_user_id)
    if message.deleted_at is not None:
        raise Conflict("the message was deleted")
    if (message.ciphertext is None) != (ciphertext is None):
        raise Conflict("an encrypted message stays encrypted, and one that is not stays so")
    if (text, ciphertext) == (message.message, message.ciphertext):
        return message
    chat_claims.keep(transaction, message)
    message = replace(message, message=text, ciphertext=ciphertext, edited_at=transaction.now)
    row = _to_row(message)
    transaction.execute(SQL.edit_message, {name: row[name] for name in ("id", "message", "ciphertext", "edited_at")})
    users = (message.from_user_id, message.to_user_id)
    streams.append_to_all(transaction, users, NAMESPACE, "message_edited", orjson.dumps(message.json()))
    return message


def delete(transaction: Transaction, sender_id: UserId, message_id: str) -> Message:
    """Take an own message back, from both sides: its place stays and is empty. Once more does nothing."""
    message = _own(transaction, sender_id, message_id)
    if message.deleted_at is not None:
        return message
    chat_claims.keep(transaction, message)
    message = replace(message, message="", attachments=(), ciphertext=None, deleted_at=transaction.now)
    transaction.execute(SQL.delete_message, {"id": message_id, "message": "", "deleted_at": transaction.now})
    users = (message.from_user_id, message.to_user_id)
    payload = orjson.dumps(message.mark(deleted_at=iso_or_none(message.deleted_at)))
    streams.append_to_all(transaction, users, NAMESPACE, "message_deleted", payload)
    return message


def _own(transaction: Transaction, sender_id: UserId, message_id: str) -> Message:
    row = transaction.row(SQL.find_message, {"id": message_id})
    if row is None or from_row(row).from_user_id != sender_id:
        raise NotFound("there is no such message of yours")
    return from_row(row)


# Blocks


def block(transaction: Transaction, user_id: UserId, peer_id: UserId) -> None:
    """Take nothing from a user any more; tell the own devices."""
    blocked = [one for one, _ in transaction.rows(SQL.blocked, {"user_id": user_id})]
    if len(blocked) >= MAX_BLOCKED and peer_id not in blocked:
        raise Conflict(f"at most {MAX_BLOCKED} users can be blocked")
    values = {"user_id": user_id, "peer_id": peer_id, "last_message_id": None, "blocked_at": transaction.now}
    if transaction.execute(SQL.block, values).rowcount:
        _tell_block(transaction, user_id, peer_id, is_blocked=True)


def unblock(transaction: Transaction, user_id: UserId, peer_id: UserId) -> None:
    """Take messages of a user again; tell the own devices, and both senders what was read meanwhile."""
    pair = _between(user_id, peer_id)
    (since,) = transaction.row(SQL.blocked_since, pair)
    if not transaction.execute(SQL.unblock, pair).rowcount:
        return
    (still,) = transaction.row(SQL.blocked_since, pair)
    if still is not None:
        # The other's stands, and nothing has passed since the first of both.
        transaction.execute(SQL.date_block, {"user_id": peer_id, "peer_id": user_id, "blocked_at": since})
        _tell_block(transaction, user_id, peer_id, is_blocked=False)
        return
    transaction.foresee(Foreseen([StreamKey(one, NAMESPACE) for one in (user_id, peer_id)]))
    _tell_block(transaction, user_id, peer_id, is_blocked=False)
    for sender_id, reader_id in ((user_id, peer_id), (peer_id, user_id)):
        values = {"from_user_id": sender_id, "to_user_id": reader_id, "since": since, "limit": _LATEST}
        for read_at, message_id in transaction.rows(SQL.read_since, values):
            receipt = _receipt(sender_id, reader_id, message_id, read_at=iso(read_at))
            streams.append(transaction, StreamKey(sender_id, NAMESPACE), "message_read", receipt)


def _tell_block(transaction: Transaction, user_id: UserId, peer_id: UserId, *, is_blocked: bool) -> None:
    payload = orjson.dumps({"user_id": user_id_json(peer_id), "is_blocked": is_blocked})
    streams.append(transaction, StreamKey(user_id, NAMESPACE), "block_changed", payload)


# Rows


def from_row(row: Sequence[Any]) -> Message:
    """Return the message of a row with all ``FIELDS``."""
    fields = dict(zip(_NAMES, row, strict=True))
    fields["attachments"] = () if fields["attachments"] is None else orjson.loads(fields["attachments"])
    if fields["ciphertext"] is not None:
        fields["ciphertext"] = orjson.loads(fields["ciphertext"])
    return Message(**fields)


def _to_row(message: Message) -> dict[str, Any]:
    row = asdict(message)
    for name in _BLOBS:
        row[name] = orjson.dumps(row[name]) if row[name] else None
    return row
