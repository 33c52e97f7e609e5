"""What every store guarantees of chat messages."""

import asyncio

import orjson
import pytest

from tocsin.domain.errors import KeyReused, NotFound
from tocsin.domain.message import MessageDraft
from tocsin.domain.timestamp import iso


def draft(message="Hi", to="bob", client_msg_id=None, sender="alice"):
    return MessageDraft(from_user_id=sender, to_user_id=to, message=message, client_msg_id=client_msg_id)


def told(opened):
    return [(event.user_id, event.seq, event.event) for event in opened.take()]


async def test_a_message_goes_to_both_sides(opened):
    """The recipient receives it and the sender's devices hear that it was sent; one payload."""
    sent = await opened.store.send_message(draft("안녕 🎉"))

    events = opened.take()
    assert [("alice", "message_sent"), ("bob", "message_received")] == [(one.user_id, one.event) for one in events]
    assert [sent.json()] * 2 == [orjson.loads(one.payload) for one in events]


async def test_the_seq_is_the_recipients(opened):
    """A message's ``seq`` is that of ``message_received``."""
    await opened.store.send_message(draft())
    await opened.store.send_message(draft(to="carol"))
    sent = await opened.store.send_message(draft())

    assert 2 == sent.seq
    assert ("bob", 2, "message_received") in told(opened)


async def test_a_message_to_oneself_is_received_then_sent(opened):
    """Both events stand in the one stream."""
    await opened.store.send_message(draft(to="alice"))

    assert [("alice", 1, "message_received"), ("alice", 2, "message_sent")] == told(opened)


async def test_a_repeated_client_msg_id_is_one_message(opened):
    """Retries, also at the same moment, get the first message and tell nobody again."""
    sent = await asyncio.gather(*[opened.store.send_message(draft(client_msg_id="c1")) for _ in range(10)])

    assert 1 == len({message.id for message in sent})
    assert 2 == len(opened.take())


@pytest.mark.parametrize("other", [{"message": "Other"}, {"to": "carol"}])
async def test_a_client_msg_id_with_other_content_is_refused(opened, other):
    """Neither text nor recipient may differ."""
    await opened.store.send_message(draft(client_msg_id="c1"))
    opened.take()

    with pytest.raises(KeyReused):
        await opened.store.send_message(draft(client_msg_id="c1", **other))
    assert [] == opened.take()


async def test_client_msg_ids_of_two_senders_are_two(opened):
    """The id is unique per sender."""
    first = await opened.store.send_message(draft(client_msg_id="c1"))
    second = await opened.store.send_message(draft(client_msg_id="c1", sender="carol"))

    assert first.id != second.id


async def test_reading_tells_both_sides_once(opened, clock):
    """``message_read`` goes to reader and sender; a second time changes nothing."""
    sent = await opened.store.send_message(draft())
    opened.take()

    read = await opened.store.mark_message_read("bob", sent.id)
    clock.forward(hours=1)

    assert read == await opened.store.mark_message_read("bob", sent.id)
    events = opened.take()
    assert [("alice", "message_read"), ("bob", "message_read")] == [(one.user_id, one.event) for one in events]
    assert {
        "message_id": sent.id,
        "from_user_id": "alice",
        "to_user_id": "bob",
        "read_at": iso(read.read_at),
    } == orjson.loads(events[0].payload)


@pytest.mark.parametrize("reader", ["alice", "mallory"])
async def test_only_the_recipient_reads(opened, reader):
    """To anybody else, its sender included, there is no message to read."""
    sent = await opened.store.send_message(draft())
    opened.take()

    with pytest.raises(NotFound):
        await opened.store.mark_message_read(reader, sent.id)
    assert [] == opened.take()
