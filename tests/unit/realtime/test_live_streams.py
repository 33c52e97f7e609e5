"""A committed event reaches the room of its stream once and in order, whatever wake-up was lost."""

import asyncio

import pytest

from tocsin.domain.errors import Overloaded
from tocsin.domain.user_id import UserId
from tocsin.realtime.resume import Cursor


@pytest.fixture
async def socket(node):
    """A socket in the room of a stream whose head is 3."""
    node.log.commit_many(3)
    socket = node.connect()
    await node.settle()
    socket.received.clear()
    return socket


async def test_an_event_reaches_every_socket_of_the_room(node, socket):
    """All devices of the user get it, from one encoding."""
    other = node.connect()
    node.publish()

    assert [4] == socket.seqs
    assert [4] == other.seqs


async def test_an_event_carries_its_id_seq_and_epoch(node, socket):
    """The payload is the stored one with the three fields of the contract."""
    node.publish()

    expected = {"id": "n", "event_id": "event-4", "seq": 4, "epoch": "epoch-1"}
    assert [expected] == socket.payloads("notification")


async def test_a_repeated_wake_up_is_dropped(node, socket):
    """The same event from the bus again is not sent again."""
    event = node.log.commit()
    node.live.on_events([event])
    node.live.on_events([event])

    assert [4] == socket.seqs


async def test_an_event_of_a_user_without_sockets_costs_nothing(node):
    """A stream that nobody follows has no state."""
    node.live.on_events([node.log.commit(UserId("bob"))])

    assert 0 == len(node.live)


async def test_a_jump_in_seq_is_read_from_the_log_in_order(node, socket):
    """Events whose wake-up was lost come before the one that told of them."""
    node.log.commit_many(2)
    node.publish()
    await node.settle()

    assert [4, 5, 6] == socket.seqs


async def test_events_during_an_ordered_read_wait_for_it(node, socket):
    """What is live while the log is read does not overtake it, and is not lost."""
    node.log.is_open = False
    node.log.commit_many(2)
    node.publish()
    await asyncio.sleep(0)
    node.publish()

    assert [] == socket.seqs

    node.log.answer()
    await asyncio.sleep(0)
    await node.settle()

    assert [4, 5, 6, 7] == socket.seqs


@pytest.mark.parametrize("is_wake", [True, False], ids=["wake", "event"])
async def test_what_is_told_during_an_ordered_read_that_finds_nothing_is_not_lost(node, socket, is_wake):
    """The log was looked at before the commit, and the wake-up came before the answer: it is looked at again."""
    node.log.is_open = False
    node.live.on_wake([socket.data.key])
    await asyncio.sleep(0)
    if is_wake:
        node.log.commit()
        node.live.on_wake([socket.data.key])
    else:
        node.publish()
    node.log.answer()
    await asyncio.sleep(0)
    await node.settle()

    assert [4] == socket.seqs


async def test_an_ordered_read_goes_on_in_parts(node, socket):
    """More than one part of the log arrives whole."""
    node.log.commit_many(250)
    node.publish()
    await node.settle()

    assert list(range(4, 255)) == socket.seqs


async def test_a_failed_read_is_made_good_by_the_next_event(node, socket):
    """A refusal of the store loses nothing."""
    node.log.commit()
    node.log.refusal = Overloaded("busy")
    node.publish()
    await node.settle()
    node.log.refusal = None
    node.publish()
    await node.settle()

    assert [4, 5, 6] == socket.seqs


async def test_a_wake_up_for_what_the_log_does_not_hold_is_ignored(node, socket):
    """The log is the truth: a forged or premature wake-up makes no event."""
    event = node.log.commit()
    node.live.on_events([event._replace(seq=9)])
    await node.settle()
    node.publish()
    await node.settle()

    assert [4, 5] == socket.seqs


async def test_the_sweep_finds_what_no_wake_up_told(node, socket):
    """Commits of other processes arrive by the sweep of heads."""
    node.log.commit_many(3)
    await node.live.sweep()
    await node.settle()

    assert [4, 5, 6] == socket.seqs


async def test_the_sweep_is_made_when_another_process_wrote(node, socket):
    """The periodic look leads to a sweep, with nobody asking."""
    node.live._sweep_s = 0.001
    node.live.start()
    node.log.commit()
    node.log.elsewhere = True
    async with asyncio.timeout(20):
        while not socket.seqs:  # noqa: ASYNC110 - the double raises no event
            await asyncio.sleep(0.001)
    await node.live.stop()

    assert [4] == socket.seqs


async def test_a_gap_is_swept_at_once(node, socket):
    """Where wake-ups may have been missed nobody waits for the periodic look."""
    node.live._sweep_s = 3600
    node.live.start()
    await asyncio.sleep(0)
    node.log.commit()
    node.live.on_gap()
    async with asyncio.timeout(20):
        while not socket.seqs:  # noqa: ASYNC110 - the double raises no event
            await asyncio.sleep(0.001)
    await node.live.stop()

    assert [4] == socket.seqs


async def test_a_gap_during_the_periodic_look_is_swept_at_once(node, socket):
    """The look, which found nothing, does not make the sweep forget what came meanwhile."""
    looks, go_on = asyncio.Queue(), asyncio.Event()

    async def look():
        looks.put_nowait(None)
        await go_on.wait()
        return False

    node.log.changed_elsewhere = look
    node.live._sweep_s = 3600
    node.live.start()
    node.live._hurry.set()
    async with asyncio.timeout(20):
        await looks.get()
        node.log.commit()
        node.live.on_gap()
        go_on.set()
        while not socket.seqs:  # noqa: ASYNC110 - the double raises no event
            await asyncio.sleep(0.001)
    await node.live.stop()

    assert [4] == socket.seqs


async def test_a_room_that_fell_behind_the_kept_log_is_told_to_resync(node, socket):
    """Events that are pruned before they were sent show as a resync, in the trace too, and live goes on."""
    node.log.commit_many(10)
    node.log.pruned[socket.data.key] = 8
    await node.live.sweep()
    await node.settle()
    node.publish()

    assert [{"reason": "pruned", "epoch": "epoch-1", "seq": 13}] == socket.payloads("resync")
    assert [14] == socket.seqs
    assert [["refetch"], ["live"]] == [node.reached(seq) for seq in (13, 14)]


async def test_a_new_epoch_of_another_process_is_told_to_every_room(node, socket):
    """After ``tocsin db new-epoch`` every cursor is void, and later events carry the new epoch."""
    node.log.epoch = "epoch-2"
    await node.live.sweep()
    node.publish()

    assert [{"reason": "epoch_changed", "epoch": "epoch-2", "seq": 3}] == socket.payloads("resync")
    assert ["epoch-2"] == [payload["epoch"] for payload in socket.payloads("notification")]


async def test_no_event_carries_the_new_epoch_before_its_resync(node, socket):
    """While heads are read for the new epoch, events still belong to the old one."""
    node.log.is_open = False
    node.log.epoch = "epoch-2"
    sweep = asyncio.create_task(node.live.sweep())
    await asyncio.sleep(0)
    node.publish()
    await node.settle()
    await sweep

    assert ["notification", "resync"] == [event for event, _ in socket.received]
    assert "epoch-1" == socket.payloads("notification")[0]["epoch"]
    assert 4 == socket.payloads("resync")[0]["seq"]


async def test_a_restored_log_may_end_below_the_old_head(node, socket):
    """After a restore the new epoch starts from the head that the log has."""
    node.log.events[socket.data.key] = node.log.events[socket.data.key][:1]
    node.log.epoch = "epoch-2"
    await node.live.sweep()
    node.publish()

    assert 1 == socket.payloads("resync")[0]["seq"]
    assert [2] == socket.seqs


async def test_state_goes_with_the_last_socket(node, socket):
    """A stream is forgotten when nobody follows it."""
    other = node.connect()
    node.disconnect(socket)

    assert 1 == len(node.live)

    node.disconnect(other)

    assert 0 == len(node.live)


async def test_a_read_under_way_sends_nothing_to_those_who_came_later(node, socket):
    """A read for a stream that was left ends with it; the next socket starts afresh."""
    node.log.is_open = False
    node.log.commit_many(2)
    node.publish()
    await asyncio.sleep(0)
    node.disconnect(socket)
    late = node.connect()
    await node.settle()

    assert [] == late.seqs
    assert [{"epoch": "epoch-1", "seq": 6}] == late.payloads("synced")


async def test_a_read_under_way_does_not_take_back_who_joined_meanwhile(node, socket):
    """The room has moved on since the read looked: no resync, and nothing is sent again."""
    node.log.is_open = False
    node.live.on_wake([socket.data.key])
    late = node.connect(Cursor("epoch-1", 1))
    await asyncio.sleep(0)
    node.disconnect(socket)
    node.log.commit_many(2)
    for _ in range(20):
        while len(node.log.waiting) > 1:
            node.log.answer(1, is_late=True)
        await asyncio.sleep(0)
    assert [{"epoch": "epoch-1", "seq": 5}] == late.payloads("synced")
    node.log.answer()
    await node.settle()

    assert [] == late.payloads("resync")
    assert [2, 3, 4, 5] == late.seqs


async def test_an_ephemeral_event_reaches_the_room_only(node, socket):
    """It goes to who is in the room now and has no seq."""
    node.live.on_ephemeral(UserId("ann"), "/notifications", "unread_count", {"unread": 2})
    node.live.on_ephemeral(UserId("bob"), "/notifications", "unread_count", {"unread": 9})

    assert [("unread_count", {"unread": 2})] == socket.received


async def test_nothing_is_kept_when_nobody_catches_up(node, socket):
    """The recent events of a stream exist only while a socket is on its way to the head."""
    node.log.is_open = False
    late = node.connect(cursor=None)
    assert late.payloads("synced")
    node.publish(5)

    assert socket.data.recent is None


async def test_a_sweep_that_meets_who_catches_up_is_made_again(node, socket):
    """What it may have missed is found by the next one, though no other process writes any more."""
    node.log.is_open = False
    other = node.connect(Cursor("epoch-1", 1))
    node.disconnect(socket)
    await asyncio.sleep(0)
    await node.live.sweep()

    assert node.live._is_sweep_due
    assert other.data.catching_up
