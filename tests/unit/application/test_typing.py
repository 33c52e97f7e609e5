"""Signs of writing: one entry for two users, told when it begins and when it is over, also by itself."""

import asyncio

import pytest

from tocsin.application import typing as module
from tocsin.application.typing import MAX_AT_ONCE, Typing
from tocsin.domain.stream import StreamEvent


@pytest.fixture
def blocked():
    return set()


@pytest.fixture
async def typing(bus, heard, blocked):
    async def may_write(*pair):
        return pair not in blocked

    typing = Typing(bus, may_write)
    yield typing
    typing.stop()


def told(heard):
    return [(to, payload["user_id"], payload["is_typing"]) for to, _, _, payload in heard.ephemeral]


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_two_devices_are_one(typing, heard):
    """What is said again is not told again, and who never wrote can not stop."""
    typing.set("456", "eve", False)
    for _ in range(5):
        typing.set("456", "bob", True)
    await settled()
    typing.set("456", "bob", False)
    typing.set("456", "bob", False)

    assert [("bob", 456, True), ("bob", 456, False)] == told(heard)


async def test_it_is_over_by_itself(typing, heard, monkeypatch):
    """Who says it again in time goes on, and it is repeated for whoever came later."""
    monkeypatch.setattr(module, "EXPIRES_S", 0.2)
    monkeypatch.setattr(module, "REPEAT_S", 0.1)
    for _ in range(4):
        typing.set("a", "bob", True)
        await asyncio.sleep(0.06)
    heard_early = told(heard)
    await asyncio.sleep(0.25)

    assert [("bob", "a", True)] * 2 == heard_early
    assert ("bob", "a", False) == told(heard)[-1]


async def test_who_leaves_stops(typing, heard):
    """To everybody."""
    typing.set("a", "bob", True)
    typing.set("a", "carol", True)
    await settled()
    typing.forget("a")
    typing.forget("a")

    assert {("bob", "a", False), ("carol", "a", False)} == set(told(heard)[2:])


async def test_who_is_blocked_is_not_told(typing, heard, blocked):
    """Neither that it begins nor that it ends."""
    blocked.add(("a", "bob"))
    typing.set("a", "bob", True)
    await settled()
    typing.set("a", "bob", False)

    assert [] == told(heard)


async def test_a_block_ends_it(typing, heard):
    """In both directions, at once."""
    typing.set("a", "bob", True)
    typing.set("bob", "a", True)
    await settled()
    typing.on_events([StreamEvent("bob", "/chat", 1, "e", "block_changed", b'{"user_id":"a","is_blocked":true}', 0)])

    assert {("bob", "a", False), ("a", "bob", False)} == set(told(heard)[2:])


async def test_what_has_ended_before_it_was_allowed_is_not_told(typing, heard):
    """A stop overtakes nothing."""
    typing.set("a", "bob", True)
    typing.set("a", "bob", False)
    await settled()

    assert [] == told(heard)


async def test_nobody_writes_to_everybody(typing, heard):
    """The first ends when there are too many."""
    for number in range(MAX_AT_ONCE + 1):
        typing.set("a", f"u-{number}", True)
        await settled()

    assert ("u-0", "a", False) in told(heard)
    assert MAX_AT_ONCE + 2 == len(told(heard))
