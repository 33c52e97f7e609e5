"""Client events of ``/chat``: messages, changes of them, receipts, signs of writing."""

from typing import Annotated, Any

from pydantic import Field

from tocsin.application.chat import Chat
from tocsin.application.typing import Typing
from tocsin.domain.message import (
    MAX_ATTACHMENT_NAME,
    MAX_ATTACHMENT_URL,
    MAX_ATTACHMENTS,
    MAX_CLIENT_MSG_ID,
    MAX_MESSAGE,
    MessageDraft,
)
from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import UserId, parse_user_id
from tocsin.engine import Socket
from tocsin.realtime.client_events import AnyUserId, Arguments, ClientEvents, ObjectId, Result, identity_of

NAMESPACE = "/chat"


class Attachment(Arguments):
    """A link to a file that the host keeps: an https URL, or a path of its site."""

    url: Annotated[str, Field(min_length=1, max_length=MAX_ATTACHMENT_URL)]
    name: Annotated[str, Field(min_length=1, max_length=MAX_ATTACHMENT_NAME)] | None = None
    type: Annotated[str, Field(min_length=1, max_length=MAX_ATTACHMENT_NAME)] | None = None
    size: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None


class SendMessage(Arguments):
    """A message to one user: text, attachments or both, or a ciphertext; one ``client_msg_id`` is one message."""

    to_user_id: AnyUserId
    message: Annotated[str, Field(max_length=MAX_MESSAGE)] = ""
    client_msg_id: Annotated[str, Field(min_length=1, max_length=MAX_CLIENT_MSG_ID)] | None = None
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS, strict=False)] = ()
    ciphertext: dict[str, Any] | None = None

    def draft(self, from_user_id: UserId) -> MessageDraft:
        """Return the message as the sender asks for it."""
        return MessageDraft(
            from_user_id=from_user_id,
            to_user_id=parse_user_id(self.to_user_id, "to_user_id"),
            message=self.message,
            client_msg_id=self.client_msg_id,
            attachments=[one.model_dump(exclude_none=True) for one in self.attachments],
            ciphertext=self.ciphertext,
            is_by_user=True,
        )


class EditMessage(Arguments):
    """Another text for an own message, or another ciphertext."""

    message_id: ObjectId
    message: Annotated[str, Field(max_length=MAX_MESSAGE)] = ""
    ciphertext: dict[str, Any] | None = None


class DeleteMessage(Arguments):
    """Which own message goes, from both sides."""

    message_id: ObjectId


class IsTyping(Arguments):
    """Whether the sender is writing to a user."""

    to_user_id: AnyUserId
    is_typing: bool


class MarkRead(Arguments):
    """Which message was read, and with it all before it of the same sender."""

    message_id: ObjectId


def register(events: ClientEvents, chat: Chat, signs: Typing) -> None:
    """Let ``/chat`` take its client events; the sender is always the token's user."""

    async def send_message(socket: Socket, given: SendMessage) -> Result:
        message = await chat.send(given.draft(identity_of(socket).user_id))
        return {"id": message.id, "seq": message.seq, "created_at": iso(message.created_at)}

    async def edit_message(socket: Socket, given: EditMessage) -> Result:
        message = await chat.edit(identity_of(socket).user_id, given.message_id, given.message, given.ciphertext)
        return {"id": message.id, "edited_at": iso_or_none(message.edited_at)}

    async def delete_message(socket: Socket, given: DeleteMessage) -> Result:
        message = await chat.delete(identity_of(socket).user_id, given.message_id)
        return {"id": message.id, "deleted_at": iso_or_none(message.deleted_at)}

    def typing(socket: Socket, given: IsTyping) -> Result:
        to_user_id = parse_user_id(given.to_user_id, "to_user_id")
        # Behind a message that came with it this is done later: whoever has left meanwhile writes to nobody.
        if socket.connected:
            signs.set(identity_of(socket).user_id, to_user_id, given.is_typing)
        return None

    async def mark_read(socket: Socket, given: MarkRead) -> Result:
        message = await chat.mark_read(identity_of(socket).user_id, given.message_id)
        return {"id": message.id, "read_at": iso_or_none(message.read_at)}

    events.take_async(NAMESPACE, "send_message", SendMessage, send_message)
    events.take_async(NAMESPACE, "edit_message", EditMessage, edit_message)
    events.take_async(NAMESPACE, "delete_message", DeleteMessage, delete_message)
    events.take(NAMESPACE, "typing", IsTyping, typing)
    events.take_async(NAMESPACE, "mark_read", MarkRead, mark_read)
