"""Presence of a user who comes to two nodes, or leaves them, at the same moment."""

import asyncio

import pytest

from tests.acceptance.wire_socket import eventually
from tests.unit.application.test_presence import Chats, read
from tocsin.adapters.bus_local import LocalBus
from tocsin.application import presence as module
from tocsin.application.presence import Presence
from tocsin.application.presence_nodes import NAMESPACE as NODES
from tocsin.application.presence_nodes import OtherNodes


@pytest.fixture
def chats():
    chats = Chats()
    chats.partners = {"bob": ["alice"]}
    return chats


@pytest.fixture
async def two(chats, monkeypatch):
    """Two nodes, of which each hears a turn later what the other says of its users; Alice is on the first."""
    monkeypatch.setattr(OtherNodes, "are_known", True)
    monkeypatch.setattr(module, "OFFLINE_S", 0.0)
    loop, told, nodes = asyncio.get_running_loop(), [], []

    def carry(sender):
        def on_ephemeral(to, namespace, name, payload):
            if namespace == NODES:
                other = nodes[1 - sender]
                loop.call_soon(other.on_ephemeral, NODES, payload)
            elif namespace == "/chat":
                told.append((to, name, payload["user_id"]))

        return on_ephemeral

    for number in range(2):
        bus = LocalBus()
        bus.subscribe(lambda _: None, carry(number), lambda _: None)
        nodes.append(Presence(bus, chats, is_shared=True))
    nodes[0].came("alice")
    await read(nodes[0], "alice")
    await eventually(lambda: nodes[1].is_elsewhere("alice"))
    yield *nodes, told
    for node in nodes:
        await node.stop()


async def test_who_comes_to_two_nodes_at_once_is_told_of(two, chats):
    """Neither may count on the other: both come before their partners are read."""
    one, other, told = two
    chats.gate.clear()
    one.came("bob")
    other.came("bob")
    await eventually(lambda: one.is_elsewhere("bob") and other.is_elsewhere("bob"))
    chats.gate.set()
    await read(one, "bob")
    await read(other, "bob")

    assert {("alice", "user_online", "bob")} == set(told)


async def test_who_leaves_two_nodes_at_once_is_gone(two, chats):
    """A browser that is closed ends the connections of all its windows; each node still believes the other."""
    one, other, told = two
    one.came("bob")
    await read(one, "bob")
    other.came("bob")
    await read(other, "bob")
    await eventually(lambda: one.is_elsewhere("bob") and other.is_elsewhere("bob"))
    told.clear()
    one.left("bob")
    other.left("bob")
    await eventually(lambda: not (one.is_online("bob") or other.is_online("bob")))

    assert {("alice", "user_offline", "bob")} == set(told)


async def test_who_comes_here_in_the_moment_that_they_are_gone_there_is_told_of_again(two, monkeypatch):
    """The other node told that they are gone before it heard of the new place, where it was taken for told."""
    one, other, told = two
    one.came("bob")
    await read(one, "bob")
    await eventually(lambda: other.is_elsewhere("bob"))
    told.clear()
    monkeypatch.setattr(one, "on_ephemeral", lambda *_: True)
    other.came("bob")
    await read(other, "bob")
    one.left("bob")
    await eventually(lambda: not other.is_elsewhere("bob"))

    assert [("alice", "user_offline", "bob"), ("alice", "user_online", "bob")] == told
