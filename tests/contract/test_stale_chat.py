"""
Stale state + events == fresh state, of a chat (delivery contract, 15).

The reducer here is what every client does with the events of the ``/chat`` stream, see docs/how-to/chat.md.
"""

import itertools
from dataclasses import dataclass

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.domain.conversation import PageQuery
from tocsin.domain.message import MessageDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

pairs = ((UserId(f"a{n}"), UserId(f"b{n}")) for n in itertools.count())


@dataclass
class Chat:
    """What a device shows of one conversation, and of the list, as of ``seq``."""

    own: str
    messages: dict[str, dict]
    is_blocked: bool
    seq: int

    @property
    def unread(self) -> int:
        received = [one for one in self.messages.values() if one["to_user_id"] == self.own]
        return sum(one["read_at"] is None and "deleted_at" not in one for one in received)

    def apply(self, event) -> None:
        assert event.seq == self.seq + 1
        self.seq = event.seq
        REDUCERS[event.event](self, orjson.loads(event.payload))

    def put(self, payload) -> None:
        self.messages[payload["id"]] = payload

    def _up_to(self, payload):
        pair = (payload["from_user_id"], payload["to_user_id"])
        for one in self.messages.values():
            if (one["from_user_id"], one["to_user_id"]) == pair and one["id"] <= payload["message_id"]:
                yield one

    def delivered(self, payload) -> None:
        for one in self._up_to(payload):
            one.setdefault("delivered_at", payload["delivered_at"])

    def read(self, payload) -> None:
        for one in self._up_to(payload):
            if one["read_at"] is None:
                one["read_at"] = payload["read_at"]
                one.setdefault("delivered_at", payload["read_at"])

    def deleted(self, payload) -> None:
        one = self.messages[payload["message_id"]]
        one |= {"message": "", "deleted_at": payload["deleted_at"]}
        one.pop("attachments", None)

    def block(self, payload) -> None:
        self.is_blocked = payload["is_blocked"]


REDUCERS = {
    "message_received": Chat.put,
    "message_sent": Chat.put,
    "message_edited": Chat.put,
    "message_delivered": Chat.delivered,
    "message_read": Chat.read,
    "message_deleted": Chat.deleted,
    "block_changed": Chat.block,
}

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
            chat.apply(event)
    assert stale == [await fetch(store, *pair), await fetch(store, *pair[::-1])]
    assert stale[0].messages == stale[1].messages
