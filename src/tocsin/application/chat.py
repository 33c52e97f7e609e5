"""One-to-one chat: messages that are stored, typing that is not."""

from tocsin.application.ports import Bus, Store
from tocsin.domain import message as rules
from tocsin.domain.message import Message, MessageDraft
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId, user_id_json


class Chat:
    """Use-cases of chat. Belongs to the event loop's thread."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def send(self, draft: MessageDraft) -> Message:
        """
        Store a message and deliver it to both users' devices.

        A repeated ``client_msg_id`` returns the first message and delivers nothing.

        Raises:
            Invalid: The text or the id breaks a rule.
            KeyReused: The ``client_msg_id`` was used for another message.
        """
        check_message(draft)
        return await self._store.send_message(draft)

    async def mark_read(self, reader_id: UserId, message_id: str) -> Message:
        """Mark a message to the reader as read; NotFound for any other message."""
        return await self._store.mark_message_read(reader_id, message_id)

    def typing(self, from_user_id: UserId, to_user_id: UserId, is_typing: bool) -> None:
        """Tell the other user's open devices; nobody else ever hears of it."""
        payload = {"user_id": user_id_json(from_user_id), "is_typing": is_typing}
        self._bus.publish_ephemeral(to_user_id, "/chat", "user_typing", payload)


def check_message(draft: MessageDraft) -> None:
    """
    Check the rules that hold for every caller, in any thread.

    Raises:
        Invalid: The text or the id breaks a rule.
    """
    check_text("message", draft.message, rules.MAX_MESSAGE)
    if draft.client_msg_id is not None:
        check_text("client_msg_id", draft.client_msg_id, rules.MAX_CLIENT_MSG_ID)
