"""What a store of chats must do beyond sending: pages both ways, receipts, changes, blocks, and who may see whom."""

import orjson
import pytest

from tocsin.adapters.sql import chat
from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.domain.conversation import PageQuery
from tocsin.domain.errors import Conflict, Forbidden, NotFound
from tocsin.domain.message import MessageDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId

ALICE, BOB, EVE = UserId("alice"), UserId("bob"), UserId("eve")


@pytest.fixture
def chats(store):
    return SqlChat(store)


@pytest.fixture
def say(store):
    async def say(text, *, by=ALICE, to=BOB, **fields):
        return await store.send_message(MessageDraft(from_user_id=by, to_user_id=to, message=text, **fields))

    return say


def texts(page):
    return [one.message for one in page.messages]


def told(opened):
    return [(one.user_id, one.event, orjson.loads(one.payload)) for one in opened.take()]


async def test_a_history_pages_both_ways(chats, say):
    """Both sides see one order; each page says what lies beyond it; others' messages are in none."""
    made = [await say(str(n), by=(ALICE, BOB)[n % 2], to=(BOB, ALICE)[n % 2]) for n in range(10)]
    await say("other", to=EVE)

    async def page(*anchor, who=ALICE, peer=BOB, limit=4):
        found = await chats.page(who, PageQuery(peer, *anchor, limit=limit))
        return texts(found), found.has_before, found.has_after

    assert (["6", "7", "8", "9"], True, False) == await page() == await page(who=BOB, peer=ALICE)
    assert (["2", "3", "4", "5"], True, True) == await page("before", made[6].id)
    assert (["0", "1"], False, True) == await page("before", made[2].id)
    assert (["3", "4", "5", "6"], True, True) == await page("after", made[2].id)
    assert (["9"], True, False) == await page("after", made[8].id)
    assert ([], True, False) == await page("after", made[9].id)
    assert (["3", "4", "5", "6"], True, True) == await page("around", made[5].id)
    assert (["0", "1"], False, True) == await page("around", made[0].id)
    assert (["7", "8", "9"], True, False) == await page("around", made[9].id, limit=5)
    assert ([str(n) for n in range(10)], False, False) == await page(limit=100)
    assert ([], False, False) == await page(who=EVE)
    with pytest.raises(NotFound):
        await page("around", made[5].id, who=EVE)


async def test_notes_to_oneself_are_there_once(chats, say):
    """They are in the history, and nobody has to read them."""
    for text in ("one", "two"):
        await say(text, to=ALICE)

    assert ["one", "two"] == texts(await chats.page(ALICE, PageQuery(ALICE)))
    (listed,) = (await chats.conversations(ALICE, None, 10)).conversations
    assert (ALICE, 0) == (listed.user_id, listed.unread)


async def test_conversations_are_listed_by_their_latest_message(chats, say):
    """With what is unread, in pages, without deleted texts in the count."""
    for n in range(5):
        await say(f"to {n}", by=UserId(f"u{n}"), to=ALICE)
    await say("again", by=UserId("u1"), to=ALICE)
    gone = await say("gone", by=UserId("u0"), to=ALICE)
    await chats.delete(UserId("u0"), gone.id)
    first = await chats.conversations(ALICE, None, 3)
    rest = await chats.conversations(ALICE, first.next_before, 3)

    assert [("u0", 1), ("u1", 2), ("u4", 1)] == [(one.user_id, one.unread) for one in first.conversations]
    assert ["u3", "u2"] == [one.user_id for one in rest.conversations]
    assert ("", 6, None) == (first.conversations[0].last_message.message, first.unread, rest.next_before)


async def test_an_ack_delivers_and_tells_both_sides(opened, chats, say):
    """Up to what was acked, each sender with one event; once."""
    first, second = await say("1"), await say("2")
    other = await say("3", by=EVE)
    third = await say("4")
    opened.take()
    for _ in range(2):
        await opened.store.save_acks({StreamKey(BOB, "/chat"): other.seq})

    events = told(opened)
    assert [(ALICE, second.id), (BOB, second.id), (BOB, other.id), (EVE, other.id)] == [
        (user, payload["message_id"]) for user, _, payload in events
    ]
    assert {"message_delivered"} == {event for _, event, _ in events}
    page = await chats.page(ALICE, PageQuery(BOB))
    assert [True, True, False] == [one.delivered_at is not None for one in page.messages]
    assert [first.id, second.id, third.id] == [one.id for one in page.messages]


async def test_reading_reaches_back(opened, chats, say):
    """One receipt for all before it; a receipt for an older one changes nothing any more."""
    made = [await say(str(n)) for n in range(3)]
    late = await say("later")
    opened.take()
    await opened.store.mark_message_read(BOB, made[2].id)
    await opened.store.mark_message_read(BOB, made[0].id)

    assert [(ALICE, made[2].id), (BOB, made[2].id)] == [(user, body["message_id"]) for user, _, body in told(opened)]
    read = [one.read_at is not None for one in (await chats.page(BOB, PageQuery(ALICE))).messages]
    assert [True, True, True, False] == read
    assert late.id == await chats.mark_conversation_read(BOB, ALICE)
    assert await chats.mark_conversation_read(BOB, EVE) is None
    assert 0 == (await chats.conversations(BOB, None, 10)).unread


async def test_only_the_sender_changes_a_message(opened, chats, say):
    """Both sides hear of it; once more is nothing new; what is gone stays gone."""
    made = await say("first", attachments=[{"url": "/f/1", "name": "F"}], client_msg_id="c-1")
    opened.take()
    edited = await chats.edit(ALICE, made.id, "second")
    assert edited == await chats.edit(ALICE, made.id, "second")
    for stranger in (BOB, EVE):
        with pytest.raises(NotFound):
            await chats.edit(stranger, made.id, "mine")
        with pytest.raises(NotFound):
            await chats.delete(stranger, made.id)
    with pytest.raises(Conflict):
        await chats.edit(ALICE, made.id, "", {"c": "x"})
    gone = await chats.delete(ALICE, made.id)
    assert gone == await chats.delete(ALICE, made.id)
    with pytest.raises(Conflict):
        await chats.edit(ALICE, made.id, "third")

    events = ["message_edited", "message_edited", "message_deleted", "message_deleted"]
    assert events == [event for _, event, _ in told(opened)]
    (shown,) = (await chats.page(BOB, PageQuery(ALICE))).messages
    assert ("", (), True) == (shown.message, shown.attachments, shown.deleted_at is not None)
    assert made.id == (await say("first", client_msg_id="c-1")).id, "a retry of what was deleted since"


async def test_who_is_blocked_can_not_write(opened, chats, say):
    """Nor who has blocked; a back end may; the own devices hear of it, the other user nothing."""
    before = await say("before")
    opened.take()
    for _ in range(2):
        await chats.block(BOB, ALICE)
    with pytest.raises(Forbidden, match="takes no messages"):
        await say("no", is_by_user=True)
    with pytest.raises(Forbidden, match="unblock"):
        await say("no", by=BOB, to=ALICE, is_by_user=True)
    with pytest.raises(Forbidden, match="takes no messages"):
        await chats.edit(ALICE, before.id, "no")
    assert not await chats.may_write(ALICE, BOB)
    assert not await chats.may_write(BOB, ALICE)
    assert [(BOB, "block_changed", {"user_id": "alice", "is_blocked": True})] == told(opened)
    assert [ALICE] == await chats.blocked(BOB)

    await say("by the shop")
    await chats.unblock(BOB, ALICE)
    await chats.unblock(BOB, ALICE)
    await say("after", is_by_user=True)
    assert ["before", "by the shop", "after"] == texts(await chats.page(BOB, PageQuery(ALICE)))


async def test_a_block_that_is_there_is_no_new_one(chats, monkeypatch):
    """Also when no more fit: the answer of the last one may have been lost."""
    monkeypatch.setattr(chat, "MAX_BLOCKED", 1)
    for _ in range(2):
        await chats.block(BOB, ALICE)
    with pytest.raises(Conflict, match="at most 1 user"):
        await chats.block(BOB, EVE)

    assert [ALICE] == await chats.blocked(BOB)


@pytest.mark.parametrize("pair", [(ALICE, BOB), (BOB, ALICE)], ids=["sender", "recipient"])
async def test_nothing_is_delivered_across_a_block(opened, chats, say, pair):
    """What was sent before it neither; all of it with the first ack after it has ended. Others are told meanwhile."""
    before, other = await say("before"), await say("hello", by=EVE)
    await chats.block(*pair)
    opened.take()
    await opened.store.save_acks({StreamKey(BOB, "/chat"): other.seq})

    assert {(BOB, other.id), (EVE, other.id)} == {(user, payload["message_id"]) for user, _, payload in told(opened)}
    assert [None] == [one.delivered_at for one in (await chats.page(ALICE, PageQuery(BOB))).messages]

    await chats.unblock(*pair)
    opened.take()
    await opened.store.save_acks({StreamKey(BOB, "/chat"): other.seq + 1})
    assert {(ALICE, before.id), (BOB, before.id)} == {(user, said["message_id"]) for user, _, said in told(opened)}


@pytest.mark.parametrize("pair", [(ALICE, BOB), (BOB, ALICE)], ids=["sender", "recipient"])
async def test_no_receipt_crosses_a_block(opened, chats, say, clock, pair):
    """Who reads has read, on all own devices; who wrote neither hears nor sees it before the block has ended."""
    sent = [await say(str(n), client_msg_id=f"c-{n}", is_by_user=True) for n in range(3)]
    clock.now += 1_000
    await opened.store.mark_message_read(BOB, sent[0].id)
    clock.now += 1_000
    await chats.block(*pair)
    opened.take()
    # A clock that is set back makes no difference.
    clock.now -= 10_000
    read = await opened.store.mark_message_read(BOB, sent[1].id)
    clock.now += 20_000
    await chats.mark_conversation_read(BOB, ALICE)

    assert {BOB} == {user for user, _, _ in told(opened)}
    assert 0 == (await chats.conversations(BOB, None, 10)).unread
    (last,) = (await chats.conversations(ALICE, None, 10)).conversations
    again = await say("2", client_msg_id="c-2", is_by_user=True)
    shown = (await chats.page(ALICE, PageQuery(BOB))).messages
    assert [True, False, False] == [one.read_at is not None for one in shown]
    assert [(None, None)] * 4 == [(one.read_at, one.delivered_at) for one in (*shown[1:], last.last_message, again)]
    assert None not in [one.read_at for one in (await chats.page(BOB, PageQuery(ALICE))).messages]

    await chats.unblock(*pair)
    receipts = [(user, said) for user, event, said in told(opened) if event == "message_read"]
    assert [(ALICE, sent[1].id), (ALICE, sent[2].id)] == [(user, said["message_id"]) for user, said in receipts]
    shown = (await chats.page(ALICE, PageQuery(BOB))).messages
    assert [iso(one.read_at) for one in shown[1:]] == [said["read_at"] for _, said in receipts]
    assert read.read_at == shown[1].read_at


async def test_of_two_blocks_the_last_that_ends_lets_receipts_through(opened, chats, say, clock):
    """What was read since the first of them."""
    sent = await say("hello")
    for step in (
        chats.block(ALICE, BOB),
        opened.store.mark_message_read(BOB, sent.id),
        chats.block(BOB, ALICE),
        chats.unblock(ALICE, BOB),
    ):
        clock.now += 1_000
        await step

    assert [None] == [one.read_at for one in (await chats.page(ALICE, PageQuery(BOB))).messages]
    assert (ALICE, "message_read") not in [(user, event) for user, event, _ in told(opened)]
    await chats.unblock(BOB, ALICE)
    assert [ALICE] == [user for user, event, _ in told(opened) if event == "message_read"]


async def test_who_may_see_whom(chats, say):
    """The partners of conversations, but for those who are blocked, on either side."""
    await say("hello")
    await say("hello", to=EVE)
    await chats.block(EVE, ALICE)
    await chats.block(ALICE, UserId("spam"))

    assert [[BOB], [ALICE], []] == await chats.peers([ALICE, BOB, EVE], 10)


async def test_last_seen_goes_forward(chats):
    """The latest that was said; of others nothing is known."""
    await chats.save_last_seen([(ALICE, 1), (BOB, 5)])
    await chats.save_last_seen([(ALICE, 7)])

    assert {ALICE: 7, BOB: 5} == await chats.last_seen([ALICE, BOB, EVE])


@pytest.mark.usefixtures("falling_ids")
async def test_a_conversation_is_in_the_order_of_its_making_whatever_the_clocks_of_those_who_make_it(chats, say, store):
    """Nodes' clocks differ, and clocks are set back: an answer still stands below its question, and is the latest."""
    made = [await say(str(n), by=(ALICE, BOB)[n % 2], to=(BOB, ALICE)[n % 2]) for n in range(4)]

    assert ["0", "1", "2", "3"] == texts(await chats.page(ALICE, PageQuery(BOB)))
    assert ["3"] == texts(await chats.page(ALICE, PageQuery(BOB, "after", made[2].id)))
    assert ["3"] == [one.last_message.message for one in (await chats.conversations(ALICE, None, 10)).conversations]
    # Up to the question, and not the answers after it.
    await store.mark_message_read(BOB, made[0].id)
    assert [True, False] == [
        one.read_at is not None for one in (await chats.page(BOB, PageQuery(ALICE))).messages if one.to_user_id == BOB
    ]
