"""Chat over HTTP: histories and conversations for pages that have just come, and everything a socket can do."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from tocsin.domain.user_id import parse_user_id, user_id_json
from tocsin.rest.answers import api_router, json_response, no_content, problems
from tocsin.rest.callers import Caller, uses
from tocsin.rest.chat_models import (
    BlockedView,
    ConversationsQuery,
    ConversationsView,
    MessageChange,
    MessagesQuery,
    MessagesView,
    MessageView,
    NewMessage,
    PresenceQuery,
    PresenceView,
    ReadUpToView,
)
from tocsin.rest.uses import Uses

router = api_router("chat")

App = Annotated[Uses, Depends(uses)]


@router.post("/api/chat/messages", status_code=201, response_model=MessageView, responses=problems(403, 413, 415))
async def send_message(app: App, caller: Caller, body: NewMessage) -> Response:
    """Send a message to another user; the same `client_msg_id` again answers with the first one."""
    return json_response((await app.chat.send(body.draft(caller.user_id))).json(), 201)


@router.get("/api/chat/messages", response_model=MessagesView, responses=problems(404))
async def list_messages(app: App, caller: Caller, query: Annotated[MessagesQuery, Query()]) -> Response:
    """
    Read the caller's conversation with another user, the oldest message first.

    Pages go both ways: `before` the first id that is known, `after` the last, `around` one that was searched for.
    What happens after `seq` comes as events of the stream `/chat`.
    """
    page = await app.chat.page(caller.user_id, query.wanted())
    return json_response(
        {
            "messages": [message.json() for message in page.messages],
            "has_before": page.has_before,
            "has_after": page.has_after,
            "epoch": app.store.epoch,
            "seq": page.seq,
        }
    )


@router.patch("/api/chat/messages/{message_id}", response_model=MessageView, responses=problems(404, 409, 413, 415))
async def edit_message(app: App, caller: Caller, message_id: str, body: MessageChange) -> Response:
    """Change the text of an own message, for both sides."""
    return json_response((await app.chat.edit(caller.user_id, message_id, body.message, body.ciphertext)).json())


@router.delete("/api/chat/messages/{message_id}", status_code=204, response_model=None, responses=problems(404))
async def delete_message(app: App, caller: Caller, message_id: str) -> Response:
    """Take an own message back, from both sides: its place stays and is empty."""
    await app.chat.delete(caller.user_id, message_id)
    return no_content()


@router.get("/api/chat/conversations", response_model=ConversationsView, responses=problems())
async def list_conversations(app: App, caller: Caller, query: Annotated[ConversationsQuery, Query()]) -> Response:
    """List the caller's conversations, the one with the latest message first, with what is unread."""
    page = await app.chat.conversations(caller.user_id, query.cursor, query.limit)
    return json_response(
        {
            "conversations": [one.json() for one in page.conversations],
            "next_cursor": page.next_before,
            "unread": page.unread,
            "epoch": app.store.epoch,
            "seq": page.seq,
        }
    )


@router.put("/api/chat/conversations/{user_id:user}/read", response_model=ReadUpToView, responses=problems())
async def mark_conversation_read(app: App, caller: Caller, user_id: str) -> Response:
    """Mark all that a user has written to the caller as read."""
    message_id = await app.chat.mark_conversation_read(caller.user_id, parse_user_id(user_id))
    return json_response({"message_id": message_id})


@router.get("/api/chat/blocks", response_model=BlockedView, responses=problems())
async def list_blocked(app: App, caller: Caller) -> Response:
    """List whom the caller has blocked, the earliest first."""
    return json_response({"user_ids": [user_id_json(one) for one in await app.chat.blocked(caller.user_id)]})


@router.put("/api/chat/blocks/{user_id:user}", status_code=204, response_model=None, responses=problems(409))
async def block(app: App, caller: Caller, user_id: str) -> Response:
    """Take no message, no sign of writing and no presence of a user, and show them none; at most 1,000 users."""
    await app.chat.block(caller.user_id, parse_user_id(user_id))
    return no_content()


@router.delete("/api/chat/blocks/{user_id:user}", status_code=204, response_model=None, responses=problems())
async def unblock(app: App, caller: Caller, user_id: str) -> Response:
    """Take them again."""
    await app.chat.unblock(caller.user_id, parse_user_id(user_id))
    return no_content()


@router.get("/api/chat/presence", response_model=PresenceView, responses=problems())
async def list_presence(app: App, caller: Caller, query: Annotated[PresenceQuery, Query()]) -> Response:
    """Tell of those users that the caller may see whether they are there, and when not, when they were last."""
    others = [parse_user_id(one, "user_ids") for one in query.user_ids.split(",")]
    return json_response({"presence": [one.json() for one in await app.presence.visible(caller.user_id, others)]})
