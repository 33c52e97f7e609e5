"""Client events of ``/chat``: a message, a sign of writing, a receipt."""

from typing import Annotated

from pydantic import Field

from tocsin.application.chat import Chat
from tocsin.domain.message import MAX_CLIENT_MSG_ID, MAX_MESSAGE, MessageDraft
from tocsin.domain.timestamp import iso, iso_or_none
from tocsin.domain.user_id import parse_user_id
from tocsin.engine import Socket
from tocsin.realtime.client_events import AnyUserId, Arguments, ClientEvents, ObjectId, Result, identity_of

NAMESPACE = "/chat"


class SendMessage(Arguments):
    """A message to one user; the same ``client_msg_id`` of a sender is one message."""

    to_user_id: AnyUserId
    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)]
    client_msg_id: Annotated[str, Field(min_length=1, max_length=MAX_CLIENT_MSG_ID)] | None = None


class Typing(Arguments):
    """Whether the sender is writing to a user."""

    to_user_id: AnyUserId
    is_typing: bool


class MarkRead(Arguments):
    """Which message was read."""

    message_id: ObjectId


def register(events: ClientEvents, chat: Chat) -> None:
    """Let ``/chat`` take its client events; the sender is always the token's user."""

    async def send_message(socket: Socket, given: SendMessage) -> Result:
        message = await chat.send(
            MessageDraft(
                from_user_id=identity_of(socket).user_id,
                to_user_id=parse_user_id(given.to_user_id, "to_user_id"),
                message=given.message,
                client_msg_id=given.client_msg_id,
            )
        )
        return {"id": message.id, "seq": message.seq, "created_at": iso(message.created_at)}

    def typing(socket: Socket, given: Typing) -> Result:
        to_user_id = parse_user_id(given.to_user_id, "to_user_id")
        chat.typing(identity_of(socket).user_id, to_user_id, given.is_typing)
        return None

    async def mark_read(socket: Socket, given: MarkRead) -> Result:
        message = await chat.mark_read(identity_of(socket).user_id, given.message_id)
        return {"id": message.id, "read_at": iso_or_none(message.read_at)}

    events.take_async(NAMESPACE, "send_message", SendMessage, send_message)
    events.take(NAMESPACE, "typing", Typing, typing)
    events.take_async(NAMESPACE, "mark_read", MarkRead, mark_read)
