"""Between a subscription and the look into the log: who resumes, and who has joined meanwhile, miss nothing."""

import asyncio
from unittest.mock import AsyncMock

import pytest

from tests.unit.realtime.conftest import ANN, NAMESPACE
from tocsin.domain.errors import Overloaded
from tocsin.domain.stream import StreamKey
from tocsin.realtime.resume import Cursor

EPOCH = "epoch-1"


async def test_the_head_is_asked_for_after_events_of_other_nodes_arrive(node, monkeypatch):
    """What another node commits while a user is being subscribed is in the log that is read then."""
    asked, go_on = [], asyncio.Event()

    async def heard(user_ids):
        asked.extend(user_ids)
        await go_on.wait()

    monkeypatch.setattr(node.resumer, "_heard", heard)
    socket = node.connect(Cursor(EPOCH, 0))
    for _ in range(5):
        await asyncio.sleep(0)
    node.log.commit()
    go_on.set()
    await node.settle()

    assert [ANN] == asked
    assert [1] == socket.seqs


async def test_who_joined_before_others_events_arrived_gets_what_the_look_finds(node, monkeypatch):
    """A second device joins by a live event while the first waits to be subscribed; nothing is told of the rest."""
    go_on = asyncio.Event()
    monkeypatch.setattr(node.resumer, "_heard", lambda _: go_on.wait())
    first = node.connect(Cursor(EPOCH, 0))
    node.publish()
    second = node.connect(Cursor(EPOCH, 1))
    node.log.commit()
    go_on.set()
    await node.settle()

    assert [1, 2] == first.seqs
    assert [2] == second.seqs


@pytest.mark.parametrize("end", ["the client leaves", "the log can't be read"])
async def test_who_joined_by_a_live_event_needs_nobody_else_to_stay(node, monkeypatch, end):
    """The device that had the log looked into may go, or its look fail: the room is looked at all the same."""
    go_on = asyncio.Event()
    monkeypatch.setattr(node.resumer, "_heard", lambda _: go_on.wait())
    first = node.connect(Cursor(EPOCH, 0))
    node.publish()
    second = node.connect(Cursor(EPOCH, 1))
    node.log.commit()
    if end == "the client leaves":
        node.disconnect(first)
    else:
        monkeypatch.setattr(node.log, "heads", AsyncMock(side_effect=Overloaded("busy")))
    go_on.set()
    await node.settle()

    assert [2] == second.seqs


async def test_a_room_beyond_a_log_that_lost_its_end_is_told_to_resync(node):
    """A failover to a replica that was behind, in the same epoch: who comes back brings the room to the log."""
    node.log.commit_many(5)
    early = node.connect()
    await node.settle()
    del node.log.events[StreamKey(ANN, NAMESPACE)][3:]
    late = node.connect(Cursor("epoch-1", 1))
    await node.settle()
    node.publish()

    assert [{"reason": "ahead_of_head", "epoch": "epoch-1", "seq": 3}] == early.payloads("resync")
    assert ([4], [2, 3, 4]) == (early.seqs, late.seqs)
    assert [{"epoch": "epoch-1", "seq": 3}] == late.payloads("synced")
