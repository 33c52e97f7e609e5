"""What every store guarantees of streams: gap-free, in commit order, kept for a time."""

import asyncio

import pytest

from tocsin.application.once import Once
from tocsin.domain.errors import Overloaded
from tocsin.domain.retention import Kept
from tocsin.domain.stream import KEPT_EVENTS, SLICE_BYTES, Head, StreamKey

KEY = StreamKey("alice", "/orders")
HOUR_MS = 3_600_000


async def append(store, count=1, users=("alice",)):
    for _ in range(count):
        await store.append_event("/orders", "order_updated", users, b'{"status":"paid"}')


async def append_together(store, count):
    await asyncio.gather(*[append(store) for _ in range(count)])


async def seqs(store, after=0, limit=5_000):
    return [event.seq for event in (await store.read_stream(KEY, after, limit)).events]


async def test_seq_counts_from_one_without_gaps(store):
    """Every stream has its own count, whatever is written beside it."""
    await append(store, 3)
    await store.append_event("/sns", "post_liked", ["alice"], b"{}")
    await append(store, 2, users=("bob", "alice"))

    assert [1, 2, 3, 4, 5] == await seqs(store)


async def test_concurrent_writers_leave_no_gap(store):
    """Two hundred writers at once: the log is 1 to 200."""
    await append_together(store, 200)

    assert list(range(1, 201)) == await seqs(store)


async def test_one_event_a_user(store):
    """A user named twice gets it once; users stand in ascending id."""
    appended = await store.append_event("/orders", "order_updated", ["bob", "alice", "bob"], b"{}")

    assert [("alice", 1), ("bob", 1)] == [(event.user_id, event.seq) for event in appended]
    assert 2 == len({event.event_id for event in appended})


async def test_what_is_read_is_what_was_appended(store):
    """An event survives the database byte by byte."""
    appended = await store.append_event("/orders", "order_updated", ["alice"], '{"city":"서울"}'.encode())

    assert appended == (await store.read_stream(KEY, 0, 10)).events


async def test_big_events_make_a_part_shorter(store):
    """Nobody makes the server hold 64 MB at once; who goes on from the last one reads everything."""
    big = b'{"text":"%b"}' % (b"x" * 60_000)
    for _ in range(150):
        await store.append_event("/orders", "order_updated", ["alice"], big)
    parts, after = [], 0
    while (part := await store.read_stream(KEY, after, 1_000)).events:
        parts.append(part)
        after = part.events[-1].seq

    assert list(range(1, 151)) == [event.seq for part in parts for event in part.events]
    assert {150} == {part.head.seq for part in parts}
    assert max(sum(len(event.payload) for event in part.events) for part in parts) <= SLICE_BYTES + 60_011


async def test_reading_begins_after_the_cursor(store):
    """A slice holds the first events above ``after``, with the stream's head."""
    await append(store, 5)

    part = await store.read_stream(KEY, 2, 2)

    assert [3, 4] == [event.seq for event in part.events]
    assert Head(5, 0, 0) == part.head


async def test_a_stream_never_written_is_empty(store):
    """Its head is all zeros."""
    empty = await store.read_stream(KEY, 0, 10)

    assert ([], Head(0, 0, 0)) == (empty.events, empty.head)


async def test_heads_come_in_the_order_asked(store):
    """One head a key, repeated and unknown keys too."""
    await append(store, 2)
    await append(store, users=("bob",))
    bob, nobody = StreamKey("bob", "/orders"), StreamKey("nobody", "/orders")

    assert [(1), (0), (2), (1)] == [head.seq for head in await store.heads([bob, nobody, KEY, bob])]
    assert [] == await store.heads([])


async def test_heads_asked_together_reach_their_askers(store):
    """A thousand requests at once each get their own heads, also when some have gone away."""
    await append(store, 3)
    asked = [asyncio.ensure_future(store.heads([KEY] * (n % 3))) for n in range(1_000)]
    await asyncio.sleep(0)
    for task in asked[::10]:
        task.cancel()

    answers = await asyncio.gather(*asked, return_exceptions=True)

    kept = [(n, answer) for n, answer in enumerate(answers) if n % 10]
    assert all(answer == [Head(3, 0, 0)] * (n % 3) for n, answer in kept)


async def test_a_head_is_not_older_than_its_question(store):
    """A head asked for after a commit has that commit, while others are being answered."""
    for expected in range(1, 50):
        busy = asyncio.ensure_future(store.heads([KEY]))
        await append(store)
        (head,) = await store.heads([KEY])
        await busy
        assert expected == head.seq


async def test_acks_only_rise_and_not_above_the_head(store):
    """The acked seq is the highest that was given out and acked."""
    await append(store, 5)

    for acked, expected in ((3, 3), (2, 3), (99, 5), (4, 5)):
        await store.save_acks({KEY: acked, StreamKey("nobody", "/orders"): 7})
        assert [expected, 0] == [head.acked for head in await store.heads([KEY, StreamKey("nobody", "/orders")])]


async def test_pruning_keeps_the_last_events(store, clock):
    """Above the kept number the oldest go; what stays has no gap and ``pruned`` says where it begins."""
    await append_together(store, KEPT_EVENTS + 700)

    dropped = await store.prune(clock.now)

    assert 700 == dropped["stream_event"]
    assert list(range(701, KEPT_EVENTS + 701)) == await seqs(store)
    assert [Head(KEPT_EVENTS + 700, 700, 0)] == await store.heads([KEY])


async def test_an_operator_says_for_how_long_events_are_kept(store, clock):
    """Fewer days than usual, or more."""
    await append(store, 3)
    clock.forward(days=1.5)
    await append(store, 2)
    assert 0 == (await store.prune(clock.now))["stream_event"]
    assert 3 == (await store.prune(clock.now, Kept(events_days=1)))["stream_event"]

    clock.forward(days=20)
    assert 0 == (await store.prune(clock.now, Kept(events_days=21)))["stream_event"]
    assert 2 == (await store.prune(clock.now))["stream_event"]


async def test_pruning_drops_what_is_older_than_a_week(store, clock):
    """Old events go, the count goes on."""
    await append(store, 3)
    clock.forward(days=6)
    await append(store, 2)
    clock.forward(days=1, hours=1)

    assert 3 == (await store.prune(clock.now))["stream_event"]
    assert [4, 5] == await seqs(store)

    clock.forward(days=8)
    assert 2 == (await store.prune(clock.now))["stream_event"]
    await append(store)
    assert [6] == await seqs(store)
    assert [Head(6, 5, 0)] == await store.heads([KEY])


async def test_pruning_of_what_is_fresh_drops_nothing(store, clock, draft):
    """A second round finds nothing."""
    await append(store, 3)
    await store.create_notifications([draft(expires_at=clock.now + HOUR_MS)], Once("a", "b", b"c"))

    dropped = {"stream_event": 0, "notification": 0, "delivery_attempt": 0, "idempotency_key": 0}
    assert dropped | {"group_member": 0, "e2ee_to_device": 0, "fan_out": 0, "revocation": 0} == await store.prune(
        clock.now
    )


async def test_an_old_stamp_among_younger_ones_makes_no_gap(store, clock):
    """A clock that was set back for a while can't tear a hole into the log."""
    await append(store)
    clock.forward(days=-30)
    await append(store)
    clock.forward(days=30)
    await append(store)

    assert 0 == (await store.prune(clock.now))["stream_event"]
    assert [1, 2, 3] == await seqs(store)


async def test_pruning_drops_expired_notifications_and_old_keys(store, clock, draft):
    """Each kind goes at its own time."""
    await store.create_notifications([draft(expires_at=clock.now + HOUR_MS), draft()], Once("a", "b", b"c"))
    clock.forward(hours=25)

    dropped = {"stream_event": 0, "notification": 1, "delivery_attempt": 0, "idempotency_key": 1}
    assert dropped | {"group_member": 0, "e2ee_to_device": 0, "fan_out": 0, "revocation": 0} == await store.prune(
        clock.now
    )


async def test_the_epoch_outlives_a_restart(open_store):
    """It belongs to the database, not to the process."""
    first, second = await open_store(), await open_store()

    assert first.store.epoch
    assert first.store.epoch == second.store.epoch


async def test_a_new_epoch_is_another_and_the_count_goes_on(store):
    """Seqs are not given out again in the new life."""
    await append(store)
    before = store.epoch

    after = await store.new_epoch()

    assert after == store.epoch != before
    await append(store)
    assert [1, 2] == await seqs(store)


async def test_while_nobody_writes_nothing_changes_elsewhere(store):
    """A store that is asked again, and reads, reports no change."""
    await append(store, 3)
    await store.changed_elsewhere()
    await seqs(store)

    assert [False, False] == [await store.changed_elsewhere(), await store.changed_elsewhere()]


async def test_a_write_elsewhere_is_reported_once(open_store):
    """The other store's commit shows at the next question, and only there."""
    here, there = await open_store(), await open_store()
    await append(there.store)
    await append(here.store)

    assert [True, False] == [await here.store.changed_elsewhere(), await here.store.changed_elsewhere()]
    assert [1, 2] == await seqs(here.store)


async def test_a_new_epoch_from_elsewhere_is_followed(open_store):
    """``tocsin db new-epoch`` beside a running server takes effect with its sweep."""
    here, there = await open_store(), await open_store()
    await there.store.new_epoch()

    assert await here.store.changed_elsewhere()
    assert there.store.epoch == here.store.epoch


async def test_two_stores_share_one_count(open_store):
    """Writers of two processes at once leave one log without a gap."""
    here, there = await open_store(), await open_store()

    await asyncio.gather(append_together(here.store, 100), append_together(there.store, 100))

    assert list(range(1, 201)) == await seqs(here.store)


async def test_stopping_commits_what_was_accepted(open_store):
    """Writers that wait when ``stop`` is called get their answer, and it holds."""
    first = await open_store()
    writers = [asyncio.ensure_future(append(first.store)) for _ in range(50)]
    await asyncio.sleep(0)

    await first.store.stop()

    await asyncio.gather(*writers)
    second = await open_store()
    assert 50 == len(await seqs(second.store))


async def test_a_stopped_store_takes_nothing(open_store):
    """Reads and writes after the end are refused like any work that can't be taken now."""
    store = (await open_store()).store
    await store.stop()

    for attempt in (append(store), store.heads([KEY]), store.read_stream(KEY, 0, 10), store.ping()):
        with pytest.raises(Overloaded):
            await attempt


@pytest.mark.parametrize("moment", [0, 1, 3])
async def test_a_write_outlives_its_caller(open_store, moment):
    """A caller that is cancelled while it waits takes nothing back."""
    opened = await open_store()
    caller = asyncio.ensure_future(append(opened.store))
    for _ in range(moment + 1):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)

    await append(opened.store)

    assert [1, 2] == await seqs(opened.store)
