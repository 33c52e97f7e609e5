"""Presence where a test decides what happens first."""

import asyncio

import pytest

from tocsin.application import presence as module
from tocsin.application.presence import Presence
from tocsin.domain.errors import Overloaded
from tocsin.domain.stream import StreamEvent


class Chats:
    """Answers a read when the test says so, with what it knew when it was asked."""

    def __init__(self):
        self.partners = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.refusals = 0

    async def peers(self, user_ids, _limit):
        self.asked.set()
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
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
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
