"""Presence where a test decides what happens first."""

import asyncio

import pytest

from tests.acceptance.wire_socket import eventually
from tocsin.application import presence as module
from tocsin.application import presence_partners, presence_sight
from tocsin.application.presence import Presence
from tocsin.application.presence_nodes import NAMESPACE as NODES
from tocsin.application.presence_nodes import OtherNodes
from tocsin.domain.errors import Overloaded
from tocsin.domain.stream import StreamEvent, StreamKey


class Chats:
    """Answers a read when the test says so, with what it knew when it was asked."""

    def __init__(self):
        self.partners = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.refusals = 0
        self.read = []
        self.blocked = []
        self.seen_gate = asyncio.Event()
        self.seen_gate.set()

    async def may_write(self, one, other):
        return {one, other} not in self.blocked

    async def last_seen(self, _users):
        await self.seen_gate.wait()
        return {}

    async def peers(self, user_ids, _limit):
        self.asked.set()
        self.read += user_ids
        if self.refusals:
            self.refusals -= 1
            raise Overloaded("too many reads are waiting", retry_after_s=1.0)
        found = [list(self.partners.get(user_id, ())) for user_id in user_ids]
        await self.gate.wait()
        return found

    async def save_last_seen(self, seen):
        """Forget it."""


@pytest.fixture
async def chats():
    return Chats()


@pytest.fixture
async def presence(bus, heard, chats):
    presence = Presence(bus, chats)
    yield presence
    await presence.stop()


def message(user_id, peer):
    payload = b'{"from_user_id":"%s","to_user_id":"%s"}' % (peer.encode(), user_id.encode())
    return StreamEvent(user_id, "/chat", 1, "e-1", "message_received", payload, 0)


def block(user_id, peer):
    payload = b'{"user_id":"%s","is_blocked":true}' % peer.encode()
    return StreamEvent(user_id, "/chat", 2, "e-2", "block_changed", payload, 0)


async def read(presence, *users):
    """Wait until the partners of users are read."""
    for user_id in users:
        await presence.visible(user_id, [])


def told(heard):
    return {(to, name, payload["user_id"]) for to, namespace, name, payload in heard.ephemeral if namespace == "/chat"}


async def test_a_message_that_comes_while_partners_are_read_makes_partners(presence, chats, heard):
    """What was read is older than it: it is read again."""
    presence.came("alice")
    presence.came("bob")
    chats.gate.clear()
    await chats.asked.wait()
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    presence.on_events([message("alice", "bob"), message("bob", "alice")])
    chats.gate.set()
    await asyncio.sleep(0.2)

    assert {("alice", "user_online", "bob"), ("bob", "user_online", "alice")} == told(heard)


async def test_partners_that_can_not_be_read_now_are_read_later(presence, chats, heard, monkeypatch):
    """Nobody stays unseen for as long as they are there."""
    monkeypatch.setattr(presence_partners, "AGAIN_S", 0.05)
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    chats.refusals = 2
    presence.came("alice")
    presence.came("bob")
    await asyncio.sleep(0.5)

    assert {("alice", "user_online", "bob")} <= told(heard)


async def test_who_was_gone_for_a_moment_has_not_gone(presence, chats, heard):
    """Nobody is told of a reload, and they are there all the while."""
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    presence.came("alice")
    presence.came("bob")
    await asyncio.sleep(0.1)
    before = len(heard.ephemeral)
    for _ in range(3):
        presence.left("bob")
        assert presence.is_online("bob")
        presence.came("bob")
    await asyncio.sleep(0.1)

    assert before == len(heard.ephemeral)


async def test_a_block_that_comes_while_partners_are_read_holds(presence, chats, heard):
    """What was read is older than it: they see each other for no longer than until it is read again."""
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    chats.gate.clear()
    presence.came("alice")
    presence.came("bob")
    await chats.asked.wait()
    chats.partners = {}
    presence.on_events([block("alice", "bob")])
    chats.gate.set()
    await eventually(lambda: 4 <= len(chats.read))
    await asyncio.sleep(0.1)

    assert [] == await presence.visible("alice", ["bob"])
    assert [] == await presence.visible("bob", ["alice"])
    for one, other in (("alice", "bob"), ("bob", "alice")):
        last = [name for to, space, name, _ in heard.ephemeral if (to, space) == (one, "/chat")][-1]
        assert "user_offline" == last, f"{one} goes on to see {other}"


async def test_what_the_host_lets_watch_ends_at_a_block(presence, chats):
    """The host decides among strangers, a block is the user's own word."""
    presence.may_watch = lambda _watcher, _watched: True
    presence.came("alice")
    chats.blocked = [{"alice", "eve"}]

    assert ["bob"] == [seen.user_id for seen in await presence.watch("alice", ["eve", "bob"])]
    assert ["bob"] == [seen.user_id for seen in await presence.visible("alice", ["eve", "bob"])]


async def test_who_blocks_while_it_is_answered_is_not_watched(presence, chats, heard):
    """Neither told of in the answer, nor afterwards."""
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    presence.came("alice")
    await read(presence, "alice")
    chats.seen_gate.clear()
    watching = asyncio.create_task(presence.watch("alice", ["bob"]))
    await asyncio.sleep(0.05)
    chats.partners = {}
    presence.on_events([block("bob", "alice")])
    chats.seen_gate.set()

    assert [] == await watching
    presence.came("bob")
    await read(presence, "bob")
    assert set() == told(heard)


async def test_a_block_while_the_host_decides_is_seen(presence, chats):
    """Partners are looked at once more when it has."""
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    decided = asyncio.Event()

    async def decide(_watcher, _watched):
        await decided.wait()
        return False

    presence.may_watch = decide
    asking = asyncio.create_task(presence.visible("alice", ["bob", "eve"]))
    await asyncio.sleep(0.05)
    chats.partners = {}
    decided.set()

    assert [] == await asking


async def test_who_goes_while_it_is_answered_was_there_until_now(presence, chats, monkeypatch):
    """The database does not know it yet, and was not asked for who was there."""
    monkeypatch.setattr(module, "OFFLINE_S", 0.01)
    chats.partners = {"alice": ["bob", "carol"], "bob": ["alice"]}
    presence.came("bob")
    await read(presence, "bob")
    chats.seen_gate.clear()
    asking = asyncio.create_task(presence.visible("alice", ["bob", "carol"]))
    await asyncio.sleep(0.05)
    presence.left("bob")
    await eventually(lambda: not presence.is_online("bob"))
    chats.seen_gate.set()
    bob, carol = await asking

    assert bob.last_seen_at is not None
    assert carol.last_seen_at is None


async def test_a_stranger_who_blocks_while_the_host_decides_on_another_is_not_watched(presence, chats, heard):
    """What was allowed before the block does not count after it."""
    decided = asyncio.Event()

    async def decide(_watcher, watched):
        if watched == "bob":
            await decided.wait()
        return True

    presence.may_watch = decide
    presence.came("alice")
    await read(presence, "alice")
    watching = asyncio.create_task(presence.watch("alice", ["eve", "bob"]))
    await asyncio.sleep(0.05)
    chats.blocked = [{"alice", "eve"}]
    presence.on_events([block("eve", "alice")])
    decided.set()

    assert ["bob"] == [seen.user_id for seen in await watching]
    presence.came("eve")
    await read(presence, "eve")
    assert set() == told(heard)


async def test_what_was_read_of_an_earlier_stay_is_not_taken_for_this_one(presence, chats, heard, monkeypatch):
    """The read took longer than somebody was away, who was blocked meanwhile."""
    monkeypatch.setattr(module, "OFFLINE_S", 0.01)
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    presence.came("bob")
    await read(presence, "bob")
    chats.asked.clear()
    chats.gate.clear()
    presence.came("alice")
    await chats.asked.wait()
    presence.left("alice")
    await eventually(lambda: not presence.is_online("alice"))
    chats.partners = {}
    presence.on_events([block("bob", "alice")])
    presence.came("alice")
    greeted = []
    presence.greet("alice", greeted.append)
    chats.gate.set()
    await read(presence, "alice")

    assert [[]] == greeted
    assert set() == told(heard)


async def test_who_can_not_be_answered_in_time_is_told_so(presence, chats, monkeypatch):
    """And not left to wait for ever: the database may be away for long."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    chats.gate.clear()
    presence.came("alice")

    with pytest.raises(Overloaded):
        await presence.watch("alice", ["bob"])


async def test_who_leaves_while_partners_are_read_is_answered(presence, chats, monkeypatch):
    """At once: nobody reads for them any more."""
    monkeypatch.setattr(module, "OFFLINE_S", 0.05)
    chats.gate.clear()
    presence.came("alice")
    asking = asyncio.create_task(presence.visible("alice", ["bob"]))
    await asyncio.sleep(0)
    presence.left("alice")
    await asyncio.sleep(0.2)
    chats.gate.set()

    assert [] == await asking


async def test_a_user_is_read_once_however_often_they_are_asked_for(presence, chats):
    """All that comes before the trip makes one of it; what comes during it makes one more."""
    presence.came("alice")
    chats.gate.clear()
    presence.on_events([message("alice", "bob")] * 5)
    await chats.asked.wait()
    presence.on_events([message("alice", "bob")] * 5)
    chats.gate.set()
    await asyncio.sleep(0.2)

    assert ["alice"] * 2 == chats.read


async def test_after_a_stop_the_word_of_another_node_is_passed_over(bus, heard, chats):
    """Those who watched are gone."""
    presence = Presence(bus, chats, is_shared=True)
    presence.may_watch = lambda *_: True
    presence.start()
    presence.came("alice")
    await presence.watch("alice", ["bob"])
    await presence.stop()
    before = len(heard.ephemeral)

    assert presence.on_ephemeral(NODES, {"node": "x", "kind": "here", "users": ["bob"], "digest": 1})
    assert not presence.is_online("bob")
    presence._on_gone_elsewhere({"bob"}, is_late=True)
    assert before == len(heard.ephemeral)


@pytest.mark.parametrize("wake", [True, False], ids=["wake", "gap"])
async def test_what_nobody_told_is_read_again(presence, chats, heard, wake):
    """A block and a first message that came by a wake-up alone, or while the bus was away."""

    def hint():
        if wake:
            presence.on_wake([StreamKey("alice", "/chat")])
        else:
            presence.on_gap()

    presence.came("alice")
    presence.came("bob")
    await read(presence, "alice", "bob")
    chats.partners = {"alice": ["bob"], "bob": ["alice"]}
    hint()
    await eventually(lambda: {("alice", "user_online", "bob"), ("bob", "user_online", "alice")} == told(heard))
    heard.ephemeral.clear()
    chats.partners = {}
    hint()
    await eventually(lambda: {("alice", "user_offline", "bob"), ("bob", "user_offline", "alice")} == told(heard))


@pytest.mark.parametrize("wake", [True, False], ids=["wake", "gap"])
async def test_a_watch_ends_at_a_block_of_which_nobody_told(presence, chats, heard, wake, monkeypatch):
    """It is looked at again, for as long as the database has no time."""
    monkeypatch.setattr(presence_sight, "AGAIN_S", 0.05)
    presence.may_watch = lambda *_: True
    presence.came("alice")
    presence.came("bob")
    presence.came("eve")
    await read(presence, "alice", "bob", "eve")
    await presence.watch("alice", ["bob", "eve"])
    chats.blocked = [{"alice", "bob"}]
    refusals = 2

    async def may_write(one, other):
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise Overloaded("too many reads are waiting", retry_after_s=1.0)
        return {one, other} not in chats.blocked

    chats.may_write = may_write
    if wake:
        presence.on_wake([StreamKey("bob", "/chat")])
    else:
        presence.on_gap()
    await eventually(lambda: {("alice", "user_offline", "bob")} == told(heard))

    assert {"eve"} == set(presence._watches.watched_by("alice"))


async def test_who_has_just_come_is_read_before_what_is_read_again(presence, chats):
    """After an outage there is much to look at, and a page waits."""
    users = [f"u{n}" for n in range(300)]
    for user_id in users:
        presence.came(user_id)
    await eventually(lambda: 300 == len(chats.read))
    chats.read.clear()
    presence.on_gap()
    presence.came("alice")
    await eventually(lambda: chats.read)

    assert "alice" == chats.read[0]
    await eventually(lambda: 301 == len(chats.read))


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_node_that_has_just_begun_tells_partners_wherever_they_may_be(bus, heard, chats, monkeypatch, is_known):
    """The nodes that hold them have heard who came and leave it to this one, which has not heard of them yet."""
    monkeypatch.setattr(OtherNodes, "are_known", is_known)
    presence = Presence(bus, chats, is_shared=True)
    chats.partners = {"bob": ["alice"]}
    presence.came("bob")
    await read(presence, "bob")

    assert (set() if is_known else {("alice", "user_online", "bob")}) == told(heard)
    await presence.stop()


async def test_who_is_learned_of_late_is_told_of_the_users_here(bus, heard, chats):
    """They became partners before this node knew that the other is there: both sides are told."""
    presence = Presence(bus, chats, is_shared=True)
    chats.partners = {"alice": ["bob"]}
    presence.came("alice")
    await read(presence, "alice")
    presence.on_ephemeral(NODES, {"node": "x", "kind": "here", "users": ["bob", "carol"], "digest": 1})
    await presence.stop()

    assert {("alice", "user_online", "bob"), ("bob", "user_online", "alice")} == told(heard)
