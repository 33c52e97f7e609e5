"""What a node knows of the users of others, over a network that a test cuts."""

import asyncio
import time

import orjson
import pytest

from tests.acceptance.wire_socket import eventually
from tocsin.adapters.bus_local import LocalBus
from tocsin.adapters.bus_redis.envelope import MAX_PAYLOAD_BYTES
from tocsin.application import presence_nodes as module
from tocsin.application.presence_nodes import NAMESPACE, OtherNodes
from tocsin.domain.timestamp import now_ms


class Network:
    """Carries what each node tells to all others, but for the kinds that a test loses and what is too big for Redis."""

    def __init__(self):
        self.nodes = []
        self.lost = set()

    def carry(self, sender, payload):
        told = orjson.dumps(payload)
        if not {payload["kind"], "all"} & self.lost and len(told) <= MAX_PAYLOAD_BYTES:
            for node in self.nodes:
                if node is not sender:
                    node.others.on_told(orjson.loads(told))


class Node:
    """One node: its own users, and what it was told of others'."""

    def __init__(self, network):
        self.own = {}
        self.news = []
        self.changed = []
        self.bus = LocalBus()
        self.bus.subscribe(
            lambda _: None,
            lambda _user, namespace, _event, payload: namespace == NAMESPACE and network.carry(self, payload),
            lambda _: None,
        )
        self.others = OtherNodes(
            self.bus,
            self.own.keys,
            lambda users, is_late: self.news.append(("came", users, is_late)),
            lambda users, is_late: self.news.append(("gone", users, is_late)),
            self.changed.append,
        )
        network.nodes.append(self)

    def came(self, user):
        self.own[user] = True
        self.others.came(user)

    def gone(self, user):
        del self.own[user]
        self.others.gone(user)

    def knows(self, *users):
        return set(users) == set(self.others._where)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
async def nodes(network, monkeypatch):
    monkeypatch.setattr(module, "ALIVE_S", 0.05)
    monkeypatch.setattr(module, "ASK_S", (0.01,))
    nodes = [Node(network), Node(network)]
    for node in nodes:
        node.others.start()
    yield nodes
    for node in nodes:
        await node.others.stop()


async def missed(network, nodes, *users):
    """Let ``a``, ``b`` and others be there and known, and the news that ``a`` goes and ``c`` comes be lost."""
    one, two = nodes
    for user in ("a", "b", *users):
        one.came(user)
    await eventually(lambda: two.knows("a", "b", *users))
    await asyncio.sleep(0.1)
    two.news.clear()
    network.lost.add("all")
    one.gone("a")
    one.came("c")
    await asyncio.sleep(0.1)


async def test_as_many_other_users_are_noticed(network, nodes):
    """What was lost is told late, each change once; whoever was there all the while does not flicker."""
    await missed(network, nodes)
    network.lost.clear()
    _, two = nodes
    await eventually(lambda: two.knows("b", "c"))

    assert [("came", {"c"}, True), ("gone", {"a"}, True)] == two.news


async def test_nobody_is_gone_because_an_answer_was_lost(network, nodes):
    """Only whom an answer did not name; it is asked for until there is one."""
    await missed(network, nodes)
    network.lost = {"here"}
    await asyncio.sleep(0.5)
    _, two = nodes
    assert two.knows("a", "b")
    network.lost.clear()

    await eventually(lambda: two.knows("b", "c"))


async def test_many_with_the_longest_ids_are_told_of(nodes):
    """Of 128 characters of four bytes; in as many messages as the bus needs."""
    users = [f"{number:03}".ljust(128, "\U0001f514") for number in range(600)]
    one, two = nodes
    for user in users:
        one.came(user)

    await eventually(lambda: two.knows(*users))


def test_a_digest_has_no_order_and_tells_sets_apart():
    """Also ids that differ in the same places, as numbers do."""

    def digest(*users):
        digest = module._Digest()
        digest.add(["7", *users])
        digest.remove(["7"])
        return digest.value

    assert digest("10", "21") == digest("21", "10")
    assert digest("10", "21") != digest("11", "20")
    assert 0 == digest()


async def test_what_others_have_is_known_after_a_while(nodes, monkeypatch):
    """Not at the start, and not just after something may have been missed."""
    monkeypatch.setattr(module, "KNOWN_S", 0.1)
    _, two = nodes
    assert not two.others.are_known
    two.others.on_gap()
    assert not two.others.are_known

    await eventually(lambda: two.others.are_known)


async def test_how_many_live_and_when_one_was_lost(nodes, monkeypatch):
    """One that stops is counted until its users had time to come back; what it has seen is lost with it."""
    monkeypatch.setattr(module, "LEAVING_S", 0.0)
    one, two = nodes
    await eventually(lambda: two.others.count() == 1)
    assert 0 == two.others.lost_at
    await one.others.stop()

    await eventually(lambda: two.others.count() == 0)
    assert abs(now_ms() - two.others.lost_at) < 60_000


async def test_nothing_is_known_without_a_bus(nodes, monkeypatch):
    """Whom it does not carry may be there all the same."""
    monkeypatch.setattr(module, "KNOWN_S", 0.0)
    _, two = nodes
    two.others.on_gap()
    assert two.others.are_known
    monkeypatch.setattr(LocalBus, "is_connected", False)

    assert not two.others.are_known


async def test_who_is_elsewhere_is_looked_at_there(nodes):
    """And nobody is told of users who are nowhere else."""
    one, two = nodes
    one.came("a")
    await eventually(lambda: two.knows("a"))
    two.others.look_again(["a", "b"])

    assert [{"a"}] == one.changed


async def test_after_the_stop_nothing_is_heard(nodes):
    """Its users are the other nodes' concern by then."""
    one, two = nodes
    await two.others.stop()
    one.came("a")
    await asyncio.sleep(0.1)

    assert two.knows()
    assert [] == two.news


async def test_a_node_that_stood_still_takes_nobody_for_gone(nodes, monkeypatch):
    """What the others told meanwhile waits to be read: who was there is there, without a flicker."""
    monkeypatch.setattr(module, "LEASE_S", 0.25)
    one, two = nodes
    one.came("a")
    two.came("b")
    await eventually(lambda: two.knows("a") and one.knows("b"))
    await asyncio.sleep(0.1)
    one.news.clear()
    two.news.clear()
    # Whatever stops a process, a signal or a slow disk: nothing on this loop runs.
    time.sleep(0.5)  # noqa: ASYNC251
    await asyncio.sleep(0.2)

    assert [] == one.news + two.news
