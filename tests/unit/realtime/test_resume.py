"""A socket comes from its cursor to the head with no gap and nothing twice."""

import asyncio
import sqlite3

import pytest

from tests.unit.realtime.conftest import ANN, NAMESPACE
from tocsin.domain.errors import Conflict, Invalid, Overloaded
from tocsin.domain.stream import StreamKey
from tocsin.realtime.live_streams import RECENT_EVENTS
from tocsin.realtime.resume import MAX_SEQ, REPLAYS_AT_ONCE, Cursor, parse_cursor

EPOCH = "epoch-1"


def synced(seq):
    return {"epoch": EPOCH, "seq": seq}


async def test_a_client_without_a_cursor_is_synced_at_the_head(node):
    """A stock client is told where the stream is and gets what is live."""
    node.log.commit_many(3)
    socket = node.connect()
    await node.settle()
    node.publish()

    assert [synced(3)] == socket.payloads("synced")
    assert [4] == socket.seqs


async def test_a_stream_never_written_is_synced_at_zero(node):
    """A new user starts at seq 0."""
    socket = node.connect()
    await node.settle()
    node.publish()

    assert [synced(0)] == socket.payloads("synced")
    assert [1] == socket.seqs


async def test_what_was_missed_is_sent_in_order_before_synced(node):
    """The log from the cursor to the head, then ``synced``."""
    node.log.commit_many(5)
    socket = node.connect(Cursor(EPOCH, 2))
    await node.settle()

    assert [3, 4, 5] == socket.seqs
    assert ("synced", synced(5)) == socket.received[-1]


async def test_a_wake_up_of_what_the_log_does_not_hold_ends_in_the_log(node):
    """A forged or foreign event from the network while nobody is in the room: the log is right, and read but once."""
    node.log.commit_many(5)
    socket = node.connect(Cursor(EPOCH, 2))
    phantom = node.log.events[StreamKey(ANN, NAMESPACE)][-1]._replace(seq=1_000_000)
    node.live.on_events([phantom])
    await node.settle()
    node.publish()

    assert [3, 4, 5, 6] == socket.seqs
    assert [synced(5)] == socket.payloads("synced")
    assert node.log.reads <= 2


async def test_a_cursor_at_the_head_reads_no_log(node):
    """A herd of clients that missed nothing costs one query of heads and no reads."""
    node.log.commit_many(5)
    sockets = [node.connect(Cursor(EPOCH, 5)) for _ in range(20)]
    await node.settle()

    assert [[synced(5)]] * 20 == [socket.payloads("synced") for socket in sockets]
    assert 0 == node.log.reads


async def test_a_second_device_joins_a_live_stream_at_once(node):
    """The head of a live stream is known without the store."""
    first = node.connect()
    await node.settle()
    node.log.is_open = False
    second = node.connect()

    assert [synced(0)] == second.payloads("synced") == first.payloads("synced")


async def test_a_long_absence_is_read_in_parts(node):
    """Hundreds of missed events arrive whole, drained part by part."""
    node.log.commit_many(950)
    socket = node.connect(Cursor(EPOCH, 0))
    await node.settle()

    assert list(range(1, 951)) == socket.seqs
    assert 10 <= socket.connection.drains


async def test_what_is_committed_during_the_read_follows_the_replay(node):
    """The seam: live events of the meantime come after the log, none twice."""
    node.log.commit_many(5)
    node.log.is_open = False
    socket = node.connect(Cursor(EPOCH, 2))
    await asyncio.sleep(0)
    node.log.answer()
    for _ in range(3):
        await asyncio.sleep(0)
    node.publish(3)
    node.log.answer()
    await node.settle()
    node.publish()

    assert [3, 4, 5, 6, 7, 8, 9] == socket.seqs
    assert [synced(8)] == socket.payloads("synced")


async def test_more_than_is_kept_live_is_read_again(node):
    """When the recent events overflow during a read, the log has them."""
    node.log.commit_many(5)
    node.log.is_open = False
    socket = node.connect(Cursor(EPOCH, 2))
    await asyncio.sleep(0)
    node.log.answer()
    for _ in range(3):
        await asyncio.sleep(0)
    node.publish(RECENT_EVENTS + 50)
    node.log.answer()
    await node.settle()

    assert list(range(3, 6 + RECENT_EVENTS + 50)) == socket.seqs
    assert RECENT_EVENTS + 1 > len(socket.data.recent or ())


async def test_an_event_right_after_connect_reaches_a_client_without_cursor(node):
    """What is committed after CONNECT is live, even if the head tells of it before."""
    node.log.commit_many(3)
    node.log.is_open = False
    socket = node.connect()
    await asyncio.sleep(0)
    node.publish(2)
    node.log.answer(is_late=True)
    await node.settle()

    assert [4, 5] == socket.seqs
    assert ("synced", synced(5)) == socket.received[-1]


async def test_a_resume_ahead_of_the_room_brings_the_room_along(node):
    """A read that sees commits before their wake-up does not make the room skip them."""
    node.log.commit_many(3)
    early = node.connect()
    await node.settle()
    unheard = node.log.commit_many(2)
    late = node.connect(Cursor(EPOCH, 1))
    await node.settle()
    node.live.on_events(unheard)
    node.publish()

    assert [4, 5, 6] == early.seqs
    assert [2, 3, 4, 5, 6] == late.seqs


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        (Cursor("another", 2), "epoch_changed"),
        (Cursor(None, 2), "epoch_changed"),
        (Cursor(EPOCH, 6), "ahead_of_head"),
        (Cursor(EPOCH, 1), "pruned"),
    ],
)
async def test_a_cursor_that_cannot_be_resumed_is_told_so(node, cursor, reason):
    """``resync`` with its reason, then ``synced`` at the head, then what is live."""
    first = node.connect()
    await node.settle()
    node.publish(5)
    node.log.pruned[first.data.key] = 2
    socket = node.connect(cursor)
    await node.settle()
    node.publish()

    assert ("resync", {"reason": reason, "epoch": EPOCH, "seq": 5}) == socket.received[0]
    assert ("synced", synced(5)) == socket.received[1]
    assert [6] == socket.seqs


async def test_more_than_a_thousand_behind_is_a_resync(node):
    """A replay is bounded; beyond it a fetch over REST is cheaper."""
    node.log.commit_many(1_001)
    socket = node.connect(Cursor(EPOCH, 0))
    await node.settle()

    assert "too_far_behind" == socket.payloads("resync")[0]["reason"]
    assert [] == socket.seqs


async def test_exactly_a_thousand_behind_is_replayed(node):
    """The bound itself is still resumed."""
    node.log.commit_many(1_001)
    socket = node.connect(Cursor(EPOCH, 1))
    await node.settle()

    assert list(range(2, 1_002)) == socket.seqs


async def test_a_replay_sends_the_log_again(node):
    """After ``replay {after}`` the same events come again, in order, then ``synced``."""
    node.log.commit_many(4)
    socket = node.connect()
    await node.settle()
    socket.received.clear()
    node.resumer.replay(socket, socket.data, 1)
    await node.settle()
    node.publish()

    assert [2, 3, 4, 5] == socket.seqs
    assert [synced(4)] == socket.payloads("synced")


async def test_only_so_many_read_the_log_at_once(node):
    """A herd that comes back waits in turn for its replays, and each gets its own whole."""
    node.log.commit_many(100)
    node.log.is_open = False
    sockets = [node.connect(Cursor(EPOCH, 0)) for _ in range(REPLAYS_AT_ONCE + 8)]
    await asyncio.sleep(0)
    node.log.answer()
    for _ in range(5):
        await asyncio.sleep(0)
    assert REPLAYS_AT_ONCE == len(node.log.waiting)

    await node.settle()
    assert all(list(range(1, 101)) == socket.seqs for socket in sockets)


async def test_a_second_replay_under_way_is_refused(node):
    """One replay a socket: the client waits for ``synced``."""
    node.log.commit_many(4)
    socket = node.connect()
    await node.settle()
    node.resumer.replay(socket, socket.data, 1)

    with pytest.raises(Conflict):
        node.resumer.replay(socket, socket.data, 2)

    await node.settle()


async def test_a_replay_of_one_socket_does_not_repeat_to_others(node):
    """The other devices of the user see only what is new."""
    node.log.commit_many(4)
    one, other = node.connect(), node.connect()
    await node.settle()
    node.resumer.replay(one, one.data, 0)
    await node.settle()

    assert [1, 2, 3, 4] == one.seqs
    assert [] == other.seqs


async def test_a_socket_that_leaves_in_the_middle_is_forgotten(node):
    """A disconnect ends its replay and leaves no state behind."""
    node.log.commit_many(500)
    node.log.is_open = False
    socket = node.connect(Cursor(EPOCH, 0))
    await asyncio.sleep(0)
    node.log.answer()
    for _ in range(3):
        await asyncio.sleep(0)
    node.disconnect(socket)
    await node.settle()

    assert [] == socket.seqs
    assert 0 == len(node.live)


@pytest.mark.parametrize("failure", [Overloaded("busy"), sqlite3.DatabaseError("malformed")])
async def test_a_store_that_fails_sends_the_client_back(node, failure):
    """Without the log there is no resume: the transport closes and the client comes again."""
    node.log.refusal = failure
    socket = node.connect(Cursor(EPOCH, 0))
    await node.settle()

    assert "unavailable" == socket.connection.closed_for
    assert [] == socket.received


async def test_a_store_that_refuses_in_the_middle_sends_the_client_back(node):
    """A replay that cannot go on ends with the transport and not with a gap."""
    node.log.commit_many(300)
    node.log.is_open = False
    socket = node.connect(Cursor(EPOCH, 0))
    await asyncio.sleep(0)
    node.log.answer()
    for _ in range(3):
        await asyncio.sleep(0)
    node.log.refusal = Overloaded("busy")
    node.log.answer()
    await node.settle()

    assert list(range(1, 101)) == socket.seqs
    assert "unavailable" == socket.connection.closed_for


async def test_a_new_epoch_during_a_replay_is_a_resync(node):
    """What is left of the replay belongs to a log that is no more."""
    node.log.commit_many(300)
    node.log.is_open = False
    socket = node.connect(Cursor(EPOCH, 0))
    await asyncio.sleep(0)
    node.log.answer()
    for _ in range(3):
        await asyncio.sleep(0)
    node.live.epoch = node.log.epoch = "epoch-2"
    await node.settle()

    assert [] == socket.seqs
    assert [{"reason": "epoch_changed", "epoch": "epoch-2", "seq": 300}] == socket.payloads("resync")
    assert ("synced", {"epoch": "epoch-2", "seq": 300}) == socket.received[-1]


@pytest.mark.parametrize("wait", [1, 2, 3, 4])
async def test_a_new_epoch_while_a_client_takes_its_time_is_a_resync(node, wait):
    """Whenever it comes, no event carries the new epoch before the client is told, nor is it told synced alone."""
    node.log.commit_many(150)
    socket = node.connect(Cursor(EPOCH, 0))

    async def drained():
        socket.connection.drains += 1
        if socket.connection.drains == wait:
            node.live.epoch = node.log.epoch = "epoch-2"
        await asyncio.sleep(0)

    socket.connection.drained = drained
    await node.settle()

    assert {EPOCH} >= {payload["epoch"] for payload in socket.payloads("notification")}
    assert [
        ("resync", {"reason": "epoch_changed", "epoch": "epoch-2", "seq": 150}),
        ("synced", {"epoch": "epoch-2", "seq": 150}),
    ] == socket.received[-2:]


async def test_a_cursor_of_an_epoch_that_only_the_store_knows_is_resumed(node):
    """A new epoch comes into force with the first client that could hold a cursor of it."""
    node.log.commit_many(3)
    old = node.connect()
    await node.settle()
    node.log.epoch = "epoch-2"
    socket = node.connect(Cursor("epoch-2", 2))
    await node.settle()

    assert [3] == socket.seqs
    assert ["synced", "resync"] == [event for event, _ in old.received]


@pytest.mark.parametrize(
    "auth",
    [
        {"last_seq": "1.0"},
        {"last_seq": "-1"},
        {"last_seq": ""},
        {"last_seq": "9" * 16},
        {"last_seq": "1" + "0" * 16},
        {"last_seq": -1},
        {"last_seq": 1.0},
        {"last_seq": True},
        {"last_seq": MAX_SEQ + 1},
        {"last_seq": [1]},
        {"epoch": 1, "last_seq": 1},
        {"epoch": "e" * 65, "last_seq": 1},
        {"epoch": {}},
    ],
)
def test_a_cursor_of_the_wrong_type_is_refused(auth):
    """Nothing is guessed from a malformed cursor."""
    with pytest.raises(Invalid):
        parse_cursor(auth)


@pytest.mark.parametrize(
    ("auth", "cursor"),
    [
        ({}, None),
        ({"epoch": None, "last_seq": None}, None),
        ({"epoch": "e"}, None),
        ({"last_seq": 0}, Cursor(None, 0)),
        ({"epoch": "e", "last_seq": "17"}, Cursor("e", 17)),
        ({"epoch": "e", "last_seq": MAX_SEQ}, Cursor("e", MAX_SEQ)),
    ],
)
def test_a_cursor_is_what_has_a_last_seq(auth, cursor):
    """Absent and null are the same; an epoch alone says nothing."""
    assert cursor == parse_cursor(auth)
