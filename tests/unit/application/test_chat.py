"""Chat: messages are kept, typing is not."""

import pytest

from tocsin.application.chat import Chat
from tocsin.domain.errors import Invalid
from tocsin.domain.message import MessageDraft
from tocsin.domain.stream import StreamKey


@pytest.fixture
def chat(store, bus, heard):
    return Chat(store, bus)


def draft(message="Hi", client_msg_id=None):
    return MessageDraft(from_user_id="456", to_user_id="bob", message=message, client_msg_id=client_msg_id)


async def test_a_message_reaches_both_sides(chat, heard):
    """Recipient and sender hear of it; reading it tells both again."""
    sent = await chat.send(draft())
    await chat.mark_read("bob", sent.id)

    assert [
        ("456", "message_sent"),
        ("bob", "message_received"),
        ("456", "message_read"),
        ("bob", "message_read"),
    ] == [(event.user_id, event.event) for event in heard.events]


@pytest.mark.parametrize(
    "fields",
    [
        {"message": ""},
        {"message": "m" * 8_001},
        {"message": "\0"},
        {"client_msg_id": ""},
        {"client_msg_id": "c" * 65},
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused(chat, heard, fields):
    """The refusal names the field, and nobody hears."""
    with pytest.raises(Invalid, match=next(iter(fields))):
        await chat.send(draft(**fields))
    assert [] == heard.events


async def test_typing_goes_to_the_other_and_is_not_kept(chat, heard, store):
    """The recipient hears who types, the id in its public form; no stream grows."""
    chat.typing("456", "bob", True)

    assert [("bob", "/chat", "user_typing", {"user_id": 456, "is_typing": True})] == heard.ephemeral
    assert [0] == [head.seq for head in await store.heads([StreamKey("bob", "/chat")])]
