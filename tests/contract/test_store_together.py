"""What holds while operations share transactions: each is done as if it were alone."""

import asyncio
from functools import partial
from itertools import pairwise
from random import Random

import psycopg
import pytest

from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.postgres_writing import PostgresWriting
from tocsin.adapters.sql.transaction import NOTHING_FORESEEN
from tocsin.application.deliveries import Settlement
from tocsin.application.once import Once
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import Invalid, NotFound, Overloaded
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import Change, InboxFilter
from tocsin.domain.stream import StreamKey

TEXTS = ('"', "\\", "{}", "NULL", "null", "", "a,b", " ", "\n\t\r", '\\"', "{'x'}", "'", "%s", "𝄞é\u200b", "x" * 5_000)


async def test_text_of_any_kind_is_stored_as_it_is(opened, draft):
    """Whatever databases and their languages mean by a character, in one row and in many."""
    drafts = [draft(title=text, message=text, data={text: [text, None, 1.5]}, category=text or None) for text in TEXTS]
    await opened.store.create_notifications(drafts)
    await asyncio.gather(*[opened.store.create_notifications([one]) for one in drafts])
    page = await opened.store.list_notifications("alice", InboxFilter(), before=None, limit=100)

    assert [(one.title, one.message, one.data) for one in drafts] * 2 == [
        (one.title, one.message, one.data) for one in reversed(page.notifications)
    ]


async def test_a_nul_in_what_is_asked_for_is_no_bug_of_ours(store, draft):
    """It is refused or not found, also where it was foreseen, and those beside it are carried out."""
    asked = (
        store.mark_notification_read("alice", "a\0b"),
        store.get_notification("alice", "a\0b"),
        store.create_notifications([draft()], Once("shop", "a\0b", b"f")),
        store.create_notifications([draft(title="\0")]),
        *[store.create_notifications([draft("bob")]) for _ in range(5)],
    )
    *asked, last = await asyncio.gather(*asked, return_exceptions=True)

    assert {NotFound, Invalid, list} >= {type(one) for one in asked}
    assert ["bob"] == [one.user_id for one in last]
    assert 5 == (await store.notification_stats("bob")).total


async def test_the_log_and_the_badge_are_right_after_anything(opened, draft):
    """Seqs have no gap, and what the stream counts as unread is what is unread."""
    store, random = opened.store, Random(7)
    users = [f"user {n}" for n in range(4)]
    made = [one for user in users for one in await store.create_notifications([draft(user) for _ in range(10)])]

    async def act(n: int) -> object:
        one, user = random.choice(made), random.choice(users)
        match n % 7:
            case 0:
                return await store.mark_all_notifications_read(user)
            case 1:
                return await store.mark_notification_read(one.user_id, one.id)
            case 2:
                return await store.delete_notification(one.user_id, one.id)
            case 3:
                return await store.create_notifications([draft(user, collapse_key="k"), draft(user, group_key="g")])
            case 4:
                return await store.append_event("/notifications", "moved", users, b"{}")
            case 5:
                return await store.save_acks({StreamKey(user, "/notifications"): n // 8})
            case _:
                return await store.create_notifications([draft(user)], Once("shop", f"key {n // 14}", b"f"))

    answers = await asyncio.gather(*[act(n) for n in range(210)], return_exceptions=True)
    assert {NotFound} >= {type(one) for one in answers if isinstance(one, Exception)}
    for user in users:
        (head,) = await store.heads([StreamKey(user, "/notifications")])
        log = await store.read_stream(StreamKey(user, "/notifications"), 0, 1_000)
        assert [*range(1, head.seq + 1)] == [event.seq for event in log.events]
        page = await store.list_notifications(user, InboxFilter(), before=None, limit=1)
        assert (await store.notification_stats(user)).unread == page.unread_count


async def test_a_repeat_beside_its_first_is_one(opened, draft):
    """Each key makes one row, however many of other keys are at work."""
    keys = [Once("shop", f"key {n % 20}", b"f") for n in range(100)]
    answers = await asyncio.gather(*[opened.store.create_notifications([draft()], key) for key in keys])

    assert 20 == len({one.id for (one,) in answers}) == (await opened.store.notification_stats("alice")).total


async def test_messages_to_and_fro_at_once(opened):
    """Both sides hear each once, and a repeat is the same message."""
    pair = ("alice", "bob")
    drafts = [
        MessageDraft(from_user_id=pair[n % 2], to_user_id=pair[1 - n % 2], message="Hi", client_msg_id=f"c{n % 30}")
        for n in range(60)
    ]
    sent = await asyncio.gather(*[opened.store.send_message(one) for one in drafts])

    assert 30 == len({one.id for one in sent})
    assert [30, 30] == [one.seq for one in await opened.store.heads([StreamKey(user, "/chat") for user in pair])]


async def test_a_batch_may_be_larger_than_what_a_socket_takes(store):
    """While the server reads, nobody waits for its answer."""
    users, payload = [f"user {n:03}" for n in range(300)], b"[" + b"1" * 60_000 + b"]"
    await asyncio.gather(*[store.append_event("/orders", "moved", users, payload) for _ in range(2)])

    assert [2] * 300 == [one.seq for one in await store.heads([StreamKey(user, "/orders") for user in users])]


@pytest.fixture
def statements(monkeypatch):
    """Return the texts that are sent to PostgreSQL, but for BEGIN, LOCK and COMMIT."""
    sent = []
    send = PostgresWriting._send_now
    monkeypatch.setattr(PostgresWriting, "_send_now", lambda self, *one: sent.append(one[0]) or send(self, *one))
    return sent


@pytest.mark.parametrize("make_store", ["postgresql"], indirect=True)
async def test_many_are_a_few_statements(statements, opened, draft):
    """As many for two hundred as for two, in one call or in many."""
    store, counts = opened.store, []
    for number in (2, 200):
        statements.clear()
        await store.create_notifications([draft(f"user {n}") for n in range(number)], Once("a", f"{number}", b"f"))
        counts.append(len(statements))
    assert 4 < counts[0] == counts[1] <= 10

    statements.clear()
    first = asyncio.create_task(store.ping())  # while it is on its way the others gather
    await asyncio.sleep(0)
    creates = [store.create_notifications([draft(f"u{n}")], Once("b", f"{n}", b"f")) for n in range(200)]
    await asyncio.gather(first, *creates)
    # The first is a transaction by itself where the machine is slow.
    assert len(statements) <= 4 * counts[0]


@pytest.mark.parametrize("make_store", ["postgresql"], indirect=True)
async def test_counters_of_many_are_asked_for_together(statements, opened, draft, clock):
    """By what time changes, by a claim of what many got, by the acks of many: not a trip for each."""
    store, users = opened.store, [f"user {n}" for n in range(20)]

    async def asked(work):
        statements.clear()
        await work
        return sum("FOR UPDATE" in text for text in statements)

    await store.create_notifications([draft(user, expires_at=clock.now + 1) for user in users])
    made = await store.create_notifications([draft(user, claim_id="c") for user in users])
    for one in made:
        await store.change_notification(one.user_id, one.id, Change(snoozed_until=clock.now + 5))
    clock.now += 2
    assert 1 == await asked(store.change_by_time(100)), "expiry"
    clock.now += 5
    assert 1 == await asked(store.change_by_time(100)), "snoozes"
    assert 1 == await asked(store.claim_notification(made[0].user_id, made[0].id))
    for user, other in pairwise(users):
        await store.send_message(MessageDraft(from_user_id=user, to_user_id=other, message="Hello"))
    keys = [StreamKey(user, "/chat") for user in users]
    assert 1 == await asked(store.save_acks(dict.fromkeys(keys, 2)))
    assert [1, *[2] * 18, 1] == [head.acked for head in await store.heads(keys)]


@pytest.mark.parametrize("make_store", ["postgresql"], indirect=True)
async def test_what_came_of_many_statements_is_awaited_together(monkeypatch, opened, draft, clock):
    """By one who has seen many, by one who records many pushes: not a trip for each."""
    waits, wait = [], PostgresWriting.wait
    monkeypatch.setattr(PostgresWriting, "wait", lambda self: waits.append(1) or wait(self))
    store, relay = opened.store, SqlDeliveries(opened.store)

    async def waited(work):
        waits.clear()
        result = await work
        return len(waits), result

    await store.register_device(DeviceDraft(user_id="alice", token="t", platform="android"), 10)
    made = await store.create_notifications([draft() for _ in range(20)])
    # One waits for what came of the statements, one for the commit.
    assert (2, 19) == await waited(store.mark_notifications_seen("alice", [one.id for one in made[:19]] + ["other"]))
    held = await relay.claim(20, 60_000)
    done = [Settlement(one.delivery, [], 1, 0, None) for one in held]
    assert (2, None) == await waited(relay.settle(done))
    assert (20, None) == (len(held), await relay.next_due())


@pytest.mark.parametrize("make_store", ["postgresql"], indirect=True)
@pytest.mark.parametrize("is_foreseen", [True, False])
async def test_a_transaction_that_does_not_end_is_waited_for_once(monkeypatch, store, postgres_url, is_foreseen):
    """A host's that holds a counter: not each of those that share a batch waits for its time-out."""
    begin, begun = PostgresWriting._begin, []
    monkeypatch.setattr(PostgresWriting, "_begin", lambda self, **how: begun.append(how) or begin(self, **how))
    if not is_foreseen:
        monkeypatch.setattr("tocsin.adapters.sql.store.Foreseen", lambda *_: NOTHING_FORESEEN())
    append = partial(store.append_event, "/orders", "moved", ["alice"], b"{}")
    await append()
    store._writing._connection.execute("SET lock_timeout = '100ms'")
    with psycopg.connect(postgres_url) as host:
        host.execute("LOCK TABLE tocsin_life IN ROW SHARE MODE")
        host.execute("SELECT seq FROM tocsin_stream FOR UPDATE")
        begun.clear()
        answers = await asyncio.gather(*[append() for _ in range(20)], return_exceptions=True)
    assert {Overloaded} == {type(one) for one in answers}
    assert len(begun) <= 4
    assert 2 == (await append())[0].seq
