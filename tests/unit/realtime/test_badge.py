"""The badge: how many are unread, told to who has come up to the head."""

import asyncio

from tests.unit.realtime.conftest import ANN, NAMESPACE, RecordingSocket
from tocsin.domain.errors import Overloaded
from tocsin.domain.stream import Head, StreamKey
from tocsin.realtime.badge import Badges
from tocsin.realtime.resume import Cursor

EPOCH = "epoch-1"


async def test_the_head_that_was_read_for_the_cursor_tells_the_badge(node):
    """A client that comes costs one look at its stream; ``unread_count`` stands right after ``synced``."""
    node.log.commit_many(5)
    looks = []

    def head(key):
        looks.append(key)
        return Head(5, 0, 0, unread=3)

    node.log.head = head
    socket = node.connect(Cursor(EPOCH, 5))
    await node.settle()

    assert [
        ("synced", {"epoch": EPOCH, "seq": 5}),
        ("unread_count", {"unread_count": 3, "as_of": 5}),
    ] == socket.received
    assert len(looks) == 1


async def test_a_badge_counts_again_what_was_committed_since_the_look(node):
    """The count of an old head would be short of what the client was just sent."""
    node.log.commit_many(5)
    node.log.is_open = False
    node.log.head = lambda _key: Head(5, 0, 0, unread=3)
    socket = node.connect(Cursor(EPOCH, 5))
    for _ in range(10):
        await asyncio.sleep(0)
    node.publish()
    node.log.head = lambda _key: Head(6, 0, 0, unread=4)
    node.log.answer()
    await node.settle()

    assert [{"unread_count": 4, "as_of": 6}] == socket.payloads("unread_count")


async def test_a_look_that_fails_costs_those_no_badge_who_came_meanwhile(node):
    """They wait for the next one."""
    node.log.is_open = False
    node.log.head = lambda _key: Head(5, 0, 0, unread=3)
    badges, key = Badges(node.log), StreamKey(ANN, NAMESPACE)
    early, late = RecordingSocket(node.engine), RecordingSocket(node.engine)
    badges.tell(early, key)
    await asyncio.sleep(0)
    badges.tell(late, key)
    node.log.waiting.pop()[0].set_exception(Overloaded("the database does not answer", retry_after_s=1))
    await node.settle()

    assert not early.payloads("unread_count")
    assert [{"unread_count": 3, "as_of": 5}] == late.payloads("unread_count")
    await badges.stop()
