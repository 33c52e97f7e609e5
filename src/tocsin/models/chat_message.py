"""``ChatMessage``: what a session adds, both users' devices hear."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy.orm import Mapped

from tocsin.adapters.sql import chat, schema
from tocsin.adapters.sql.chat_statements import SQL
from tocsin.adapters.sql.transaction import Transaction
from tocsin.application.chat import check_message
from tocsin.application.drafts import draft_message
from tocsin.domain import message as domain
from tocsin.domain.errors import Invalid
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import from_datetime, now_ms
from tocsin.domain.user_id import UserId, parse_user_id
from tocsin.models.columns import to_datetime, typed
from tocsin.models.model import Model, Telling, take_over


class ChatMessage(Model):
    """
    A stored message; to add one to a session delivers it when the session commits.

    A ``broadcast_chat_message`` of the same users and text within the next
    minute is this message and makes no second one, also when it was edited or
    taken back meanwhile. It has its ``id`` from the flush on: ids are the order of a
    conversation, and a transaction may begin long before it writes. Setting ``read_at`` of a
    stored one marks it, and all before it of the same sender, as read and tells both
    users; nothing else of it can change here.

    Args:
        from_user_id: Who says it.
        to_user_id: Who hears it.
        message: 1 to 8,000 characters.
        client_msg_id: At most one message of a sender may have it.

    Raises:
        Invalid: The text or a user breaks a rule.
    """

    __table__ = typed(schema.message)
    _changeable = frozenset({"read_at", "_claimable_until"})

    if TYPE_CHECKING:
        id: Mapped[str]
        from_user_id: Mapped[int | str]
        to_user_id: Mapped[int | str]
        message: Mapped[str]
        client_msg_id: Mapped[str | None]
        seq: Mapped[int]
        created_at: Mapped[datetime]
        read_at: Mapped[datetime | None]
        delivered_at: Mapped[datetime | None]
        edited_at: Mapped[datetime | None]
        deleted_at: Mapped[datetime | None]
        attachments: Mapped[list[dict[str, Any]] | None]
        ciphertext: Mapped[dict[str, Any] | None]
        _claimable_until: Mapped[int | None]
    else:
        _claimable_until = __table__.c.claimable_until

    def __init__(
        self, *, from_user_id: int | str, to_user_id: int | str, message: str, client_msg_id: str | None = None
    ) -> None:
        draft = draft_message(from_user_id, to_user_id, message, client_msg_id)
        super().__init__(
            from_user_id=draft.from_user_id,
            to_user_id=draft.to_user_id,
            message=draft.message,
            client_msg_id=draft.client_msg_id,
            created_at=to_datetime(now_ms()),
            read_at=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of ``message_received``."""
        return self._entity().json()

    def _entity(self) -> domain.Message:
        return domain.Message(
            id=self.id,
            from_user_id=parse_user_id(self.from_user_id),
            to_user_id=parse_user_id(self.to_user_id),
            message=self.message,
            client_msg_id=self.client_msg_id,
            seq=self.seq,
            created_at=from_datetime(self.created_at),
            read_at=_milliseconds(self.read_at),
            delivered_at=_milliseconds(self.delivered_at),
            edited_at=_milliseconds(self.edited_at),
            deleted_at=_milliseconds(self.deleted_at),
            attachments=self.attachments or (),
            ciphertext=self.ciphertext,
        )

    def _streams(self) -> Sequence[StreamKey]:
        return [StreamKey(user_id, chat.NAMESPACE) for user_id in self._users()]

    def _users(self) -> tuple[UserId, UserId]:
        return parse_user_id(self.from_user_id), parse_user_id(self.to_user_id)

    def _created(self, transaction: Transaction) -> Sequence[Telling]:
        # It may have changed since.
        draft = draft_message(self.from_user_id, self.to_user_id, self.message, self.client_msg_id)
        check_message(replace(draft, attachments=self.attachments or (), ciphertext=self.ciphertext))
        self.id = chat.next_id(transaction, *self._users())
        self._claimable_until = transaction.now + domain.ADOPTED_MS
        message = self._entity()
        chat.touch(transaction, message.from_user_id, message.to_user_id, message.id)
        payload = orjson.dumps(message.json())
        return [
            Telling(StreamKey(message.to_user_id, chat.NAMESPACE), "message_received", payload, self),
            Telling(StreamKey(message.from_user_id, chat.NAMESPACE), "message_sent", payload),
        ]

    def _changed(self, transaction: Transaction, names: Sequence[str]) -> Sequence[Telling]:
        for name in names:
            if name not in self._changeable or getattr(self, name) is None:
                self._refuse_change(name, getattr(self, name))
        read = chat.set_read_up_to(transaction, self._entity())
        take_over(self, transaction.row(SQL.message_read_at, {"id": self.id}), "read_at")
        if read is None:
            return []
        message = self._entity()
        payload = chat.read_payload(message, message.read_at or read.at)
        return [Telling(StreamKey(user_id, chat.NAMESPACE), "message_read", payload) for user_id in {*read.told}]

    def _deleted(self, _transaction: Transaction) -> Sequence[Telling]:
        raise Invalid("a stored ChatMessage can't be deleted: the clients that show it would not hear of it")


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else from_datetime(moment)
