"""Stale state + events == fresh state, of a chat (delivery contract, 15)."""

import itertools
from contextlib import suppress

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chat_state import Chat
from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.domain.conversation import PageQuery
from tocsin.domain.errors import Forbidden
from tocsin.domain.message import MessageDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

pairs = ((UserId(f"a{n}"), UserId(f"b{n}")) for n in itertools.count())


sides = st.booleans()
which = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("send"), sides, which),
    st.tuples(st.just("send"), sides, which),
    st.tuples(st.just("ack"), sides, which),
    st.tuples(st.just("read"), sides, which),
    st.tuples(st.just("read all"), sides, which),
    st.tuples(st.just("edit"), sides, which),
    st.tuples(st.just("delete"), sides, which),
    st.tuples(st.just("block"), sides, which),
)


async def fetch(store, own, peer):
    chats = SqlChat(store)
    page = await chats.page(own, PageQuery(peer, limit=100))
    listed = {one.user_id: one for one in (await chats.conversations(own, None, 50)).conversations}
    entry = listed.get(peer)
    assert not page.has_before
    chat = Chat(own, {one.id: one.json() for one in page.messages}, peer in await chats.blocked(own), page.seq)
    if entry is not None:
        assert (entry.unread, entry.is_blocked) == (chat.unread, chat.is_blocked)
        assert entry.last_message.json() == max(chat.messages.items())[1]
    return chat


async def perform(store, pair, step):
    name, is_first, number = step
    actor, peer = pair if is_first else pair[::-1]
    chats = SqlChat(store)
    found = (await chats.page(actor, PageQuery(peer, limit=100))).messages
    own = [one for one in found if one.from_user_id == actor]
    others = [one for one in found if one.from_user_id == peer]
    if name == "send":
        links = [{"url": "/f"}] if number > 7 else []
        await store.send_message(
            MessageDraft(from_user_id=actor, to_user_id=peer, message=str(number), attachments=links)
        )
    elif name == "ack":
        key = StreamKey(actor, "/chat")
        (head,) = await store.heads([key])
        await store.save_acks({key: max(0, head.seq - number)})
    elif name == "read" and others:
        await store.mark_message_read(actor, others[number % len(others)].id)
    elif name == "read all":
        await chats.mark_conversation_read(actor, peer)
    elif name == "edit" and own and own[number % len(own)].deleted_at is None:
        with suppress(Forbidden):  # one has blocked the other
            await chats.edit(actor, own[number % len(own)].id, f"edited {number}")
    elif name == "delete" and own:
        await chats.delete(actor, own[number % len(own)].id)
    elif name == "block":
        await (chats.block if number % 2 else chats.unblock)(actor, peer)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=st.lists(steps, max_size=12), after=st.lists(steps, max_size=12))
async def test_stale_state_and_events_are_the_fresh_state(store, clock, before, after):
    """Whatever happened before and after a fetch, each side's log since then leads to what a new fetch shows."""
    pair = next(pairs)
    for step in before:
        clock.now += 1_000
        await perform(store, pair, step)
    stale = [await fetch(store, *pair), await fetch(store, *pair[::-1])]
    for step in after:
        clock.now += 1_000
        await perform(store, pair, step)

    for chat in stale:
        for event in (await store.read_stream(StreamKey(chat.own, "/chat"), chat.seq, 1_000)).events:
            chat.apply(event.event, event.seq, orjson.loads(event.payload))
    assert stale == [await fetch(store, *pair), await fetch(store, *pair[::-1])]
    if not (stale[0].is_blocked or stale[1].is_blocked):
        assert stale[0].messages == stale[1].messages
