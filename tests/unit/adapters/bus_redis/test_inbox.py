"""When a canary is given up: in silence soon, behind other messages late."""

import asyncio

import pytest

from tocsin.adapters.bus_redis import inbox as module
from tocsin.adapters.bus_redis.inbox import PATIENT_TURNS, QUIET_TURNS, Inbox
from tocsin.adapters.bus_redis.link import RedisLink
from tocsin.application.meters import Histogram


class Turns:
    """Deadlines of ``asyncio``, counted; each ends at once, and a test says what comes in it."""

    def __init__(self, on_turn):
        self.number = 0
        self._on_turn = on_turn

    def timeout(self, _seconds):
        self.number += 1
        self._on_turn(self.number)
        return asyncio.timeout(0)


@pytest.fixture
def look(monkeypatch):
    """Return whether the canary comes back, and in which turn that is known."""

    async def look(on_turn):
        inbox = Inbox(
            "subscribe",
            RedisLink(),
            lambda: "canary",
            carry=None,
            on_message=None,
            on_gap=None,
            on_moved=None,
            on_deaf=None,
            echoes=Histogram(),
        )
        turns = Turns(lambda number: on_turn(inbox, number))
        with monkeypatch.context() as patched:
            patched.setattr(module, "asyncio", turns)
            return await inbox._comes_back(), turns.number

    return look


def hear(inbox, *, is_back=False):
    inbox._taken += 1
    if is_back:
        inbox._is_back.set()


async def test_in_silence_a_canary_is_given_up_soon(look):
    """Nothing else comes either."""
    assert (False, QUIET_TURNS) == await look(lambda *_: None)


async def test_behind_other_messages_it_is_waited_for(look):
    """A node that is behind is not deaf."""
    assert (True, 30) == await look(lambda inbox, number: hear(inbox, is_back=number == 30))


async def test_for_ever_it_is_not_waited_for(look):
    """Others may be heard through another server than this node publishes to."""
    assert (False, PATIENT_TURNS) == await look(lambda inbox, _: hear(inbox))


async def test_a_pause_is_no_silence(look):
    """It counts from the last message."""
    assert (False, 4 + QUIET_TURNS) == await look(lambda inbox, number: hear(inbox) if number == 4 else None)
