"""A chat message between two users, carried by both users' ``/chat`` streams."""

from dataclasses import dataclass
from typing import Any

from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId, user_id_json

MAX_MESSAGE = 8_000
MAX_CLIENT_MSG_ID = 64
ADOPTED_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDraft:
    """
    What a sender asks for; the same ``client_msg_id`` of one sender is one message.

    Attributes:
        adopts_saved: A message of the same text that a host's session saved within the
            last ``ADOPTED_MS`` is this one: it was delivered with its commit.
    """

    from_user_id: UserId
    to_user_id: UserId
    message: str
    client_msg_id: str | None = None
    adopts_saved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    A stored message; instants are milliseconds since 1970.

    Attributes:
        seq: The seq of ``message_received`` in the recipient's stream.
    """

    id: str
    from_user_id: UserId
    to_user_id: UserId
    message: str
    client_msg_id: str | None
    seq: int
    created_at: int
    read_at: int | None = None

    def json(self) -> dict[str, Any]:
        """Return the payload of ``message_received`` and ``message_sent``."""
        return {
            "id": self.id,
            "from_user_id": user_id_json(self.from_user_id),
            "to_user_id": user_id_json(self.to_user_id),
            "message": self.message,
            "client_msg_id": self.client_msg_id,
            "timestamp": iso(self.created_at),
            "read_at": iso_or_none(self.read_at),
        }
