"""What a user sees of a chat: pages of messages, and the list of conversations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tocsin.domain.message import Message
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId, user_id_json

MAX_BLOCKED = 1_000

Direction = Literal["before", "after", "around"]


@dataclass(frozen=True, slots=True)
class PageQuery:
    """
    Which part of the conversation with a user is wanted.

    Attributes:
        direction: ``before`` or ``after`` the anchor, which is not in it, or ``around`` it, which is.
        anchor: The id of a message; None: the latest ones.
        limit: At most so many messages.
    """

    peer_id: UserId
    direction: Direction = "before"
    anchor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class MessagePage:
    """
    Part of a conversation, the oldest first, as of one instant.

    Attributes:
        has_before: There are older ones than the first.
        has_after: There are newer ones than the last.
        seq: The head of the user's ``/chat`` stream: what comes later is not in here.
    """

    messages: Sequence[Message]
    has_before: bool
    has_after: bool
    seq: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """
    A conversation as one of its two users has it.

    Attributes:
        user_id: The other one.
        last_message: The latest one; a deleted one has no text.
        unread: How many of the other's messages this user has not read.
        is_blocked: This user takes nothing from the other.
    """

    user_id: UserId
    last_message: Message
    unread: int
    is_blocked: bool

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers."""
        return {
            "user_id": user_id_json(self.user_id),
            "last_message": self.last_message.json(),
            "unread": self.unread,
            "is_blocked": self.is_blocked,
            "updated_at": iso(self.last_message.created_at),
        }


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """
    Some of a user's conversations, the one with the latest message first, as of one instant.

    Attributes:
        next_before: The id of the last message of the last one here, if more follow.
        unread: How many messages to the user are unread in all conversations.
        seq: The head of the user's ``/chat`` stream.
    """

    conversations: Sequence[Conversation]
    next_before: str | None
    unread: int
    seq: int
