"""
A chat message between two users, carried by both users' ``/chat`` streams.

Ids of messages sort in the order of their making: a conversation is in the order of its ids, and
"up to" a message means every one of the same sender whose id is not greater.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId, user_id_json

MAX_MESSAGE = 8_000
MAX_CLIENT_MSG_ID = 64
MAX_ATTACHMENTS = 10
MAX_ATTACHMENT_URL = 2_048
MAX_ATTACHMENT_NAME = 255
MAX_CIPHERTEXT_BYTES = 65_536
ADOPTED_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDraft:
    """
    What a sender asks for; the same ``client_msg_id`` of one sender is one message.

    Attributes:
        attachments: Links to files that the host keeps, as ``Message`` has them.
        ciphertext: Instead of a text: what only the users' devices can read; opaque here.
        adopts_saved: A message of the same text that a host's session saved within the
            last ``ADOPTED_MS`` is this one: it was delivered with its commit.
        is_by_user: A user asks for it, who may have been blocked; a back end may always.
    """

    from_user_id: UserId
    to_user_id: UserId
    message: str
    client_msg_id: str | None = None
    attachments: Sequence[dict[str, Any]] = ()
    ciphertext: dict[str, Any] | None = None
    adopts_saved: bool = False
    is_by_user: bool = False

    @property
    def size(self) -> int:
        """Return how many bytes it holds while it waits to be stored, about and rather more."""
        return len(self.message) + (0 if self.ciphertext is None else MAX_CIPHERTEXT_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    A stored message; instants are milliseconds since 1970.

    Attributes:
        seq: The seq of ``message_received`` in the recipient's stream.
        delivered_at: When a device of the recipient had it; None: none has acknowledged it yet.
        edited_at: When its text was last changed.
        deleted_at: When its sender took it back; the text is gone, its place stays.
        attachments: ``{url, name?, type?, size?}`` each; the URL is the host's.
        ciphertext: What only devices can read; the ``message`` is empty then.
    """

    id: str
    from_user_id: UserId
    to_user_id: UserId
    message: str
    client_msg_id: str | None
    seq: int
    created_at: int
    read_at: int | None = None
    delivered_at: int | None = None
    edited_at: int | None = None
    deleted_at: int | None = None
    attachments: Sequence[dict[str, Any]] = ()
    ciphertext: dict[str, Any] | None = None

    def without_receipts_since(self, instant: int) -> "Message":
        """Return it as its sender sees it, who is told of no receipt after an instant."""
        read_at, delivered_at = (None if at is None or at > instant else at for at in (self.read_at, self.delivered_at))
        return replace(self, read_at=read_at, delivered_at=delivered_at)

    def json(self) -> dict[str, Any]:
        """Return the payload of ``message_received``, ``_sent`` and ``_edited``, and an item of histories."""
        told: dict[str, Any] = {
            "id": self.id,
            "from_user_id": user_id_json(self.from_user_id),
            "to_user_id": user_id_json(self.to_user_id),
            "message": self.message,
            "client_msg_id": self.client_msg_id,
            "timestamp": iso(self.created_at),
            "read_at": iso_or_none(self.read_at),
        }
        for name in ("delivered_at", "edited_at", "deleted_at"):
            if (instant := getattr(self, name)) is not None:
                told[name] = iso(instant)
        if self.attachments:
            told["attachments"] = list(self.attachments)
        if self.ciphertext is not None:
            told["ciphertext"] = self.ciphertext
        return told

    def mark(self, **marks: str | None) -> dict[str, Any]:
        """Return the payload of an event about this message: who with whom, which one, and what of it."""
        return {
            "message_id": self.id,
            "from_user_id": user_id_json(self.from_user_id),
            "to_user_id": user_id_json(self.to_user_id),
            **marks,
        }
