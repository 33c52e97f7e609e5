"""What every store guarantees of writes of any kind that go together."""

import asyncio

import orjson
import pytest

from tocsin.application.once import Once
from tocsin.domain.errors import KeyReused
from tocsin.domain.message import MessageDraft
from tocsin.domain.stream import EventDraft


async def test_writes_of_any_kind_keep_their_order(opened, draft):
    """Each draft gets its events, and the streams tell them in the order given."""
    told = await opened.store.write_many(
        [
            EventDraft("/orders", "order_updated", ("bob", "alice"), b'{"n":1}'),
            draft("alice", title="second"),
            MessageDraft(from_user_id="alice", to_user_id="bob", message="third"),
            EventDraft("/orders", "order_updated", ("alice",), b'{"n":4}'),
        ]
    )

    names = [[(one.user_id, one.event, one.seq) for one in events] for events in told]
    assert names == [
        [("alice", "order_updated", 1), ("bob", "order_updated", 1)],
        [("alice", "notification", 1)],
        [("alice", "message_sent", 1), ("bob", "message_received", 1)],
        [("alice", "order_updated", 2)],
    ]
    assert "second" == orjson.loads(told[1][0].payload)["title"]
    assert opened.take() == [one for events in told for one in events]


async def test_a_repeated_message_has_no_events(store):
    """The same client_msg_id again is the same message, in one call too."""
    message = MessageDraft(from_user_id="alice", to_user_id="bob", message="once", client_msg_id="m-1")

    told = await store.write_many([message, message])

    assert [2, 0] == [len(events) for events in told]


async def test_all_or_none(opened, draft):
    """What is refused takes everything with it that was given together."""
    first = MessageDraft(from_user_id="alice", to_user_id="bob", message="once", client_msg_id="m-1")
    other = MessageDraft(from_user_id="alice", to_user_id="bob", message="other", client_msg_id="m-1")

    with pytest.raises(KeyReused):
        await opened.store.write_many([draft("carol"), first, other])

    assert [] == opened.take()
    assert 0 == (await opened.store.notification_stats("carol")).total


async def test_a_notification_that_is_stored_already_is_not_made_twice(opened, draft):
    """With the id of one that its user has there are no events; another user's, or no such id, is none of it."""
    (stored,) = await opened.store.create_notifications([draft("alice")])
    opened.take()

    told = await opened.store.write_many(
        [
            draft("alice")._replace(stored_id=stored.id),
            draft("bob")._replace(stored_id=stored.id),
            draft("alice")._replace(stored_id="order-5"),
        ]
    )
    assert [[], ["bob"], ["alice"]] == [[one.user_id for one in events] for events in told]


async def test_a_broadcast_message_that_nobody_saved_is_sent(opened):
    """To look for a saved one first makes no difference then, whatever was sent before."""
    for _ in range(2):
        sent = MessageDraft(from_user_id="alice", to_user_id="bob", message="Hi", adopts_saved=True)
        assert [2] == [len(events) for events in await opened.store.write_many([sent])]


async def test_a_batch_is_carried_out_once(opened, draft):
    """Its key again returns the events of the first time; the next one takes its place and is carried out."""
    batches = [Once("bridge", "latest", digest, takes_over=True) for digest in (b"1", b"2")]
    drafts = [
        draft("alice"),
        MessageDraft(from_user_id="alice", to_user_id="bob", message="once"),
        EventDraft("/orders", "order_updated", ("bob", "alice"), b'{"n":1}'),
    ]
    told = await opened.store.write_many(drafts, batches[0])
    assert told == [[*map(as_kept, events)] for events in await opened.store.write_many(drafts, batches[0])]
    assert opened.take() == [one for events in told for one in events]

    twice = await asyncio.gather(*[opened.store.write_many(drafts, batches[1]) for _ in range(2)])
    assert twice[0] == [[*map(as_kept, events)] for events in twice[1]]
    assert [[2], [2, 2], [2, 2]] == [[one.seq for one in events] for events in twice[0]]


def as_kept(event):
    return event._replace(payload=bytes(event.payload))
