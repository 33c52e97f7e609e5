"""Chat beyond sending: histories, conversations, changes, blocks, and when a user was last seen."""

from collections.abc import Sequence
from typing import Any

from tocsin.adapters.sql import chat, streams
from tocsin.adapters.sql.chat import from_row
from tocsin.adapters.sql.chat_statements import SQL
from tocsin.adapters.sql.connection import snapshot
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.domain.conversation import Conversation, ConversationPage, MessagePage, PageQuery
from tocsin.domain.errors import NotFound
from tocsin.domain.message import MAX_CIPHERTEXT_BYTES, Message
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

# Sorts above every id of a message.
_BEYOND = "~"


class SqlChat:
    """Implements ``ChatStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def page(self, user_id: UserId, wanted: PageQuery) -> MessagePage:
        """Return part of a conversation."""
        return await self._store.read(lambda reader: _page(reader, user_id, wanted))

    async def conversations(self, user_id: UserId, before: str | None, limit: int) -> ConversationPage:
        """Return some conversations."""
        return await self._store.read(lambda reader: _conversations(reader, user_id, before, limit))

    async def mark_conversation_read(self, reader_id: UserId, from_user_id: UserId) -> str | None:
        """Mark all that a user has written as read."""
        return await self._store.write(
            lambda transaction: chat.mark_conversation_read(transaction, reader_id, from_user_id)
        )

    async def edit(
        self, sender_id: UserId, message_id: str, text: str, ciphertext: dict[str, Any] | None = None
    ) -> Message:
        """Change the text of an own message."""
        return await self._store.write(
            lambda transaction: chat.edit(transaction, sender_id, message_id, text, ciphertext),
            len(text) + (0 if ciphertext is None else MAX_CIPHERTEXT_BYTES),
        )

    async def delete(self, sender_id: UserId, message_id: str) -> Message:
        """Take an own message back."""
        return await self._store.write(lambda transaction: chat.delete(transaction, sender_id, message_id))

    async def block(self, user_id: UserId, peer_id: UserId) -> None:
        """Take nothing from a user any more."""
        await self._store.write(lambda transaction: chat.block(transaction, user_id, peer_id))

    async def unblock(self, user_id: UserId, peer_id: UserId) -> None:
        """Take messages of a user again."""
        await self._store.write(lambda transaction: chat.unblock(transaction, user_id, peer_id))

    async def blocked(self, user_id: UserId) -> list[UserId]:
        """Return whom a user has blocked."""
        return await self._store.read(
            lambda reader: [UserId(row[0]) for row in reader.execute(SQL.blocked, {"user_id": user_id})]
        )

    async def may_write(self, from_user_id: UserId, to_user_id: UserId) -> bool:
        """Return whether neither has blocked the other."""
        pair = {"user_id": from_user_id, "peer_id": to_user_id}
        return await self._store.read(lambda reader: reader.execute(SQL.blocks_between, pair).fetchone() is None)

    async def peers(self, user_ids: Sequence[UserId], limit: int) -> list[list[UserId]]:
        """Return with whom each of some users has a conversation that nobody has blocked."""

        def peers(reader: Reader) -> list[list[UserId]]:
            with snapshot(reader):
                return [
                    [UserId(row[0]) for row in reader.execute(SQL.peers, {"user_id": user_id, "limit": limit})]
                    for user_id in user_ids
                ]

        return await self._store.read(peers)

    async def save_last_seen(self, seen: Sequence[tuple[UserId, int]]) -> None:
        """Keep when users were there last."""

        def save(transaction: Transaction) -> None:
            for user_id, seen_at in seen:
                transaction.execute(SQL.save_last_seen, {"user_id": user_id, "seen_at": seen_at})

        await self._store.write(save)

    async def last_seen(self, user_ids: Sequence[UserId]) -> dict[UserId, int]:
        """Return when users were there last, of those of whom it is known."""

        def find(reader: Reader) -> dict[UserId, int]:
            rows = {user_id: reader.execute(SQL.find_last_seen, {"id": user_id}).fetchone() for user_id in user_ids}
            return {user_id: row[0] for user_id, row in rows.items() if row is not None}

        return await self._store.read(find)


def _page(reader: Reader, user_id: UserId, wanted: PageQuery) -> MessagePage:
    anchor, limit = wanted.anchor, wanted.limit
    pair = {"user_id": user_id, "peer_id": wanted.peer_id}

    def read(statement: str, anchor: str, limit: int) -> list[Message]:
        found = reader.execute(statement, {**pair, "anchor": anchor, "limit": limit})
        return [_seen_by(user_id, from_row(row), since) for row in found]

    def older(anchor: str, limit: int) -> list[Message]:
        return [*reversed(read(SQL.messages_before, anchor, limit))]

    def newer(anchor: str, limit: int) -> list[Message]:
        return read(SQL.messages_from, anchor, limit)

    with snapshot(reader):
        seq = streams.head(reader, StreamKey(user_id, chat.NAMESPACE)).seq
        (since,) = reader.execute(SQL.blocked_since, pair).fetchone()
        if anchor is None or wanted.direction == "before":
            found = older(_BEYOND if anchor is None else anchor, limit + 1)
            has_after = anchor is not None and bool(newer(anchor, 1))
            return MessagePage(found[-limit:], len(found) > limit, has_after, seq)
        if wanted.direction == "after":
            # What comes after an id sorts above it, and is no prefix of it.
            found = newer(f"{anchor}!", limit + 1)
            return MessagePage(found[:limit], bool(older(f"{anchor}!", 1)), len(found) > limit, seq)
        most_before, most_after = limit // 2, limit - limit // 2
        before, after = older(anchor, most_before + 1), newer(anchor, most_after + 1)
        if not after or after[0].id != anchor:
            raise NotFound("there is no such message in this conversation")
        shown = before[len(before) - min(most_before, len(before)) :] + after[:most_after]
        return MessagePage(shown, len(before) > most_before, len(after) > most_after, seq)


def _conversations(reader: Reader, user_id: UserId, before: str | None, limit: int) -> ConversationPage:
    wanted = {"user_id": user_id, "before": _BEYOND if before is None else before, "limit": limit + 1}
    with snapshot(reader):
        rows = reader.execute(SQL.conversations, wanted).fetchall()
        unread = reader.execute(SQL.count_unread, {"to_user_id": user_id}).fetchone()[0]
        seq = streams.head(reader, StreamKey(user_id, chat.NAMESPACE)).seq
    shown = [
        Conversation(
            user_id=UserId(peer_id),
            last_message=_seen_by(user_id, from_row(fields), _first(blocked_at, by_peer)),
            unread=of_peer,
            is_blocked=blocked_at is not None,
        )
        for peer_id, blocked_at, by_peer, of_peer, *fields in rows[:limit]
    ]
    return ConversationPage(shown, shown[-1].last_message.id if len(rows) > limit else None, unread, seq)


def _seen_by(user_id: UserId, message: Message, blocked_since: int | None) -> Message:
    """Return a message as one of its two users sees it: no receipt reaches its sender across a block."""
    is_own = message.from_user_id == user_id
    return message if blocked_since is None or not is_own else message.without_receipts_since(blocked_since)


def _first(*instants: int | None) -> int | None:
    return min((one for one in instants if one is not None), default=None)
