"""Chat: what is accepted is stored and told, what breaks a rule is not."""

import pytest

from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.application.chat import Chat
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.domain.message import MessageDraft


@pytest.fixture
def chat(store, heard):
    return Chat(store, SqlChat(store))


def draft(message="Hi", attachment=(), **fields):
    return MessageDraft(from_user_id="456", to_user_id="bob", message=message, attachments=attachment, **fields)


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
        {"attachment": [{"url": "javascript:alert(1)"}]},
        {"attachment": [{"url": "//elsewhere.example/x"}]},
        {"attachment": [{"url": "http://shop.example/x"}]},
        {"attachment": [{"url": "/x", "name": "n" * 256}]},
        {"attachment": [{"url": "/x"}] * 11},
        {"ciphertext": {"c": "x"}},
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused(chat, heard, fields):
    """The refusal names the field, and nobody hears."""
    with pytest.raises(Invalid, match=next(iter(fields))):
        await chat.send(draft(**fields))
    assert [] == heard.events


async def test_a_ciphertext_has_its_limit(chat, heard):
    """64 KiB as JSON; nothing is stored of a longer one."""
    with pytest.raises(PayloadTooBig):
        await chat.send(draft("", ciphertext={"c": "x" * 65_536}))
    await chat.send(draft("", ciphertext={"c": "x" * 65_000}))

    assert ["message_sent", "message_received"] == [event.event for event in heard.events]
