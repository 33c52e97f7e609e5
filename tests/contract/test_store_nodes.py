"""What holds while two nodes write to one database at once: whatever is to happen once happens once."""

import asyncio
import threading

import pytest

from tests.contract.test_e2ee import PHONE, one_time, upload
from tocsin.adapters.sql import acks, arrivals
from tocsin.adapters.sql.e2ee import SqlE2ee
from tocsin.adapters.sql.fan_out import SqlFanOut
from tocsin.adapters.sql.inbox_statements import SQL
from tocsin.application.once import Once
from tocsin.domain.errors import AlreadyClaimed
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import InboxFilter
from tocsin.domain.stream import StreamKey

ALICE = StreamKey("alice", "/notifications")


@pytest.fixture
async def nodes(open_store):
    return [(await open_store()).store, (await open_store()).store]


async def everywhere(nodes, times, ask):
    """Ask both nodes a number of times, all at once; return the answers."""
    return await asyncio.gather(
        *[ask(node, n) for n in range(times) for node in nodes],
        return_exceptions=True,
    )


async def test_one_stream_has_one_order(nodes, draft):
    """Seqs have no gap and no double, and are in the order of the log."""
    made = await everywhere(nodes, 100, lambda node, _: node.create_notifications([draft()]))
    log = await nodes[0].read_stream(ALICE, 0, 1_000)

    assert [*range(1, 201)] == sorted(one.seq for (one,) in made) == [event.seq for event in log.events]


async def test_writes_to_the_same_users_crosswise_all_happen(nodes):
    """Whoever takes the counters of two streams in another order is not in the way for good."""
    pairs = (("/orders", ["alice"]), ("/orders", ["bob"]))

    async def append(node, n):
        first, second = pairs if node is nodes[0] else pairs[::-1]
        await asyncio.gather(*[node.append_event(space, "moved", users, b"{}") for space, users in (first, second)])

    assert {None} == set(await everywhere(nodes, 50, append))
    assert [100, 100] == [one.seq for one in await nodes[1].heads([StreamKey(u, "/orders") for u in ("alice", "bob")])]


async def test_one_idempotency_key_makes_one_row(nodes, draft):
    """All who ask with it, wherever, get the first answer."""
    once = Once("shop publish", "key-1", b"fingerprint")
    answers = await everywhere(nodes, 10, lambda node, _: node.create_notifications([draft()], once))

    assert 1 == len({one.id for (one,) in answers})
    assert 1 == (await nodes[0].notification_stats("alice")).total


async def test_a_one_time_key_goes_out_once(nodes):
    """Of as many keys as are asked for each goes out, and none twice."""
    stores = [SqlE2ee(node) for node in nodes]
    await stores[0].upload(upload(one_time_keys=one_time(*range(40))))
    found = await everywhere(stores, 20, lambda store, _: store.claim([PHONE]))

    assert sorted(one_time(*range(40))) == sorted(one.key_id for (one,) in found)


async def test_the_badge_is_what_was_counted(nodes, draft):
    """A mark that two nodes set at once is counted once."""
    made = await nodes[0].create_notifications([draft() for _ in range(20)])
    await everywhere(nodes, 20, lambda node, n: node.mark_notification_read("alice", made[n].id))
    (last,) = await nodes[1].create_notifications([draft()])
    page = await nodes[0].list_notifications("alice", InboxFilter(), before=None, limit=1)

    assert (last.id, 1) == (page.notifications[0].id, page.unread_count)
    assert 41 == page.seq, "one event for each mark"


async def test_acks_of_many_are_saved_once(nodes, monkeypatch):
    """In parts, by both nodes crosswise: each sender hears once that a message was delivered."""
    monkeypatch.setattr(acks, "PART", 7)
    users = [f"user {n:02}" for n in range(30)]
    for user, other in zip(users, [*users[1:], users[0]], strict=True):
        await nodes[0].send_message(MessageDraft(from_user_id=user, to_user_id=other, message="Hello"))
    keys = [StreamKey(user, "/chat") for user in users]
    heads = await nodes[0].heads(keys)
    await everywhere(
        nodes, 2, lambda node, _: node.save_acks(dict(zip(keys, [head.seq for head in heads], strict=True)))
    )

    assert [2] * 30 == [head.acked for head in await nodes[1].heads(keys)]
    for key in keys:
        told = [event.event for event in (await nodes[1].read_stream(key, 2, 10)).events]
        assert ["message_delivered"] * 2 == told, "of the one sent, and of the one received"


async def test_one_of_many_claims(nodes, draft):
    """Who is first has it, and all others are told who that is."""
    made = await nodes[0].create_notifications([draft(f"user {n}", claim_id="c") for n in range(10)])

    async def claim(node, n):
        return await node.claim_notification(made[n].user_id, made[n].id)

    answers = await everywhere(nodes, 10, claim)
    winners = {one.claimed_by for one in answers if not isinstance(one, Exception)}
    assert 1 == len(winners)
    assert {AlreadyClaimed} == {type(one) for one in answers if isinstance(one, Exception)}


@pytest.mark.parametrize("make_store", ["postgresql"], indirect=True)
async def test_who_gets_it_while_another_claims_it_is_told_who_has_it(nodes, draft):
    """A card that another node makes at the same time is none that can be claimed once more."""
    (first,) = await nodes[0].create_notifications([draft("alice", claim_id="c")])
    looked, claimed = threading.Event(), threading.Event()

    def create(transaction):
        transaction.row(SQL.any_notification, {"id": first.id, "now": 0})
        looked.set()
        claimed.wait(20)
        return arrivals.create(transaction, [arrivals.prepare(draft("bob", claim_id="c"))])

    late = asyncio.create_task(nodes[1].write(create))
    await asyncio.to_thread(looked.wait, 20)
    await nodes[0].claim_notification("alice", first.id)
    claimed.set()

    assert ["alice"] == [one.claimed_by for one in await late]


async def test_the_next_of_a_key_takes_the_place_of_all(nodes, draft):
    """Of what both nodes make for one key there is one left."""
    await everywhere(nodes, 20, lambda node, _: node.create_notifications([draft(collapse_key="k")]))

    assert 1 == (await nodes[0].notification_stats("alice")).total


async def test_what_time_changes_changes_once(nodes, draft, clock):
    """Of what is due each comes once, whoever looks."""
    await nodes[0].schedule_notifications([draft() for _ in range(30)], clock.now + 1)
    clock.now += 2
    await everywhere(nodes, 5, lambda node, _: node.change_by_time(10))

    assert 30 == (await nodes[0].notification_stats("alice")).total


async def test_a_job_notifies_each_once(nodes, draft):
    """Both nodes work it off, and nobody hears of it twice."""
    users = [f"user {n:03}" for n in range(60)]
    stores = [SqlFanOut(node) for node in nodes]
    job = await stores[0].begin_list(users, draft())
    await everywhere(stores, 6, lambda store, _: store.step(job.id, 10))

    assert {1} == {one.seq for one in await nodes[0].heads([StreamKey(user, "/notifications") for user in users])}
