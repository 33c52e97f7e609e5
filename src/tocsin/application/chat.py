"""One-to-one chat: messages that are stored, receipts, changes, blocks. Typing is in ``typing``."""

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from tocsin.application.ports import Store
from tocsin.domain import message as rules
from tocsin.domain.conversation import ConversationPage, MessagePage, PageQuery
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.domain.message import Message, MessageDraft
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId


class ChatStore(Protocol):
    """Chat beyond sending. A write returns after its commit, and its events are delivered with it."""

    async def page(self, user_id: UserId, wanted: PageQuery) -> MessagePage:
        """Return part of a conversation; NotFound for ``around`` a message that is not in it."""

    async def conversations(self, user_id: UserId, before: str | None, limit: int) -> ConversationPage:
        """Return conversations whose last message is older than one, the latest first; None: from the latest."""

    async def mark_conversation_read(self, reader_id: UserId, from_user_id: UserId) -> str | None:
        """Mark all that a user has written to the reader as read; return the id of the latest, if there is any."""

    async def edit(
        self, sender_id: UserId, message_id: str, text: str, ciphertext: dict[str, Any] | None = None
    ) -> Message:
        """
        Change the text of an own message, with ``message_edited`` to both sides.

        Raises:
            NotFound: The sender has no such message.
            Conflict: It was deleted, or an encrypted one would be readable, or the other way round.
        """

    async def delete(self, sender_id: UserId, message_id: str) -> Message:
        """Empty an own message, with ``message_deleted`` to both sides; NotFound when it is not the sender's."""

    async def block(self, user_id: UserId, peer_id: UserId) -> None:
        """Take no message of a user any more, with ``block_changed`` to the own devices; Conflict beyond 1,000."""

    async def unblock(self, user_id: UserId, peer_id: UserId) -> None:
        """Take them again, with ``block_changed``; nothing when the user was not blocked."""

    async def blocked(self, user_id: UserId) -> list[UserId]:
        """Return whom a user has blocked, the earliest first."""

    async def may_write(self, from_user_id: UserId, to_user_id: UserId) -> bool:
        """Return whether neither of two users has blocked the other."""

    async def peers(self, user_ids: Sequence[UserId], limit: int) -> list[list[UserId]]:
        """Return with whom each has a conversation that neither has blocked; the latest first, at most ``limit``."""

    async def save_last_seen(self, seen: Sequence[tuple[UserId, int]]) -> None:
        """Keep when users were there last, in milliseconds since 1970."""

    async def last_seen(self, user_ids: Sequence[UserId]) -> dict[UserId, int]:
        """Return when users were there last, of those of whom it is known."""


class Chat:
    """
    Use-cases of chat. Belongs to the event loop's thread.

    A user sees, marks and changes only conversations of their own: with whose id one asks is the caller's to know.
    """

    def __init__(self, store: Store, chats: ChatStore) -> None:
        self._store = store
        self._chats = chats

    async def send(self, draft: MessageDraft) -> Message:
        """
        Store a message and deliver it to both users' devices.

        A repeated ``client_msg_id`` returns the first message and delivers nothing.

        Raises:
            Invalid: The text, an attachment or the id breaks a rule.
            PayloadTooBig: The ciphertext exceeds 64 KiB encoded.
            KeyReused: The ``client_msg_id`` was used for another message.
            Forbidden: One of both has blocked the other.
        """
        check_message(draft)
        return await self._store.send_message(draft)

    async def mark_read(self, reader_id: UserId, message_id: str) -> Message:
        """Mark a message to the reader, and all before it, as read; NotFound for any other message."""
        return await self._store.mark_message_read(reader_id, message_id)

    async def mark_conversation_read(self, reader_id: UserId, from_user_id: UserId) -> str | None:
        """Mark all that a user has written as read; return up to which message."""
        return await self._chats.mark_conversation_read(reader_id, from_user_id)

    async def edit(
        self, sender_id: UserId, message_id: str, text: str, ciphertext: dict[str, Any] | None = None
    ) -> Message:
        """
        Change the text of an own message, for both sides.

        Raises:
            Invalid: The text breaks a rule.
            NotFound: The sender has no such message.
            Conflict: It was deleted.
            Forbidden: One of both has blocked the other.
        """
        _check_content(text, ciphertext, ())
        return await self._chats.edit(sender_id, message_id, text, ciphertext)

    async def delete(self, sender_id: UserId, message_id: str) -> Message:
        """Take an own message back, from both sides; NotFound when it is not the sender's."""
        return await self._chats.delete(sender_id, message_id)

    async def page(self, user_id: UserId, wanted: PageQuery) -> MessagePage:
        """Return part of a user's conversation; NotFound for ``around`` a message that is not in it."""
        return await self._chats.page(user_id, wanted)

    async def conversations(self, user_id: UserId, before: str | None, limit: int) -> ConversationPage:
        """Return a user's conversations, the one with the latest message first."""
        return await self._chats.conversations(user_id, before, limit)

    async def block(self, user_id: UserId, peer_id: UserId) -> None:
        """Take no message of another user; Invalid for oneself, Conflict beyond 1,000."""
        if user_id == peer_id:
            raise Invalid("you can't block yourself")
        await self._chats.block(user_id, peer_id)

    async def unblock(self, user_id: UserId, peer_id: UserId) -> None:
        """Take them again; nothing when the user was not blocked."""
        await self._chats.unblock(user_id, peer_id)

    async def blocked(self, user_id: UserId) -> list[UserId]:
        """Return whom a user has blocked, the earliest first."""
        return await self._chats.blocked(user_id)


def check_message(draft: MessageDraft) -> None:
    """
    Check the rules that hold for every caller, in any thread.

    Raises:
        Invalid: The text, an attachment or the id breaks a rule.
        PayloadTooBig: The ciphertext exceeds 64 KiB encoded.
    """
    _check_content(draft.message, draft.ciphertext, draft.attachments)
    if draft.client_msg_id is not None:
        check_text("client_msg_id", draft.client_msg_id, rules.MAX_CLIENT_MSG_ID)


def _check_content(text: str, ciphertext: dict[str, Any] | None, attachments: Sequence[dict[str, Any]]) -> None:
    if ciphertext is not None:
        if text or attachments:
            raise Invalid("an encrypted message has no text and no attachments beside its ciphertext")
        if not ciphertext:
            raise Invalid("ciphertext must not be empty")
        if len(orjson.dumps(ciphertext)) > rules.MAX_CIPHERTEXT_BYTES:
            raise PayloadTooBig(f"ciphertext exceeds {rules.MAX_CIPHERTEXT_BYTES} bytes")
        return
    check_text("message", text, rules.MAX_MESSAGE, least=0 if attachments else 1)
    if len(attachments) > rules.MAX_ATTACHMENTS:
        raise Invalid(f"a message has at most {rules.MAX_ATTACHMENTS} attachments")
    for attachment in attachments:
        _check_attachment(attachment)


def _check_attachment(attachment: dict[str, Any]) -> None:
    url = attachment.get("url")
    if not isinstance(url, str) or len(url) > rules.MAX_ATTACHMENT_URL or not url.isprintable():
        raise Invalid(f"the url of an attachment has at most {rules.MAX_ATTACHMENT_URL} printable characters")
    if not url.startswith(("https://", "/")) or url.startswith(("//", "/\\")):
        raise Invalid("the url of an attachment must be an https URL, or a path of your site as in /files/5")
    for name in ("name", "type"):
        if (value := attachment.get(name)) is not None:
            check_text(f"the {name} of an attachment", value, rules.MAX_ATTACHMENT_NAME)
