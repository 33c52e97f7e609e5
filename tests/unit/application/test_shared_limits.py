"""Rates over several nodes: what one node's users spend counts on the others."""

import pytest

from tests.unit.application.test_rate_limits import ANN, BOB, FakeClock, refused_for
from tocsin.adapters.bus_local import LocalBus
from tocsin.application.rate_limits import RateLimits
from tocsin.application.shared_limits import NAMESPACE, SharedLimits
from tocsin.domain.rate import Rate

NAME = ("/chat", "typing")


class Node:
    """One node with an event of 100 a minute."""

    def __init__(self, clock, bus):
        self.limits = RateLimits(Rate(100, 60.0), clock=clock, is_shared=True)
        self.limit = self.limits.of(*NAME)
        self.shared = SharedLimits(self.limits, bus)

    def spend(self, count, user=ANN):
        """Return how many of so many events are refused."""
        return sum(refused_for(self.limit, user) > 0 for _ in range(count))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def told():
    """What went over the bus."""
    return []


@pytest.fixture
def nodes(clock, told):
    bus = LocalBus()
    nodes = [Node(clock, bus) for _ in range(3)]

    def hear(_user_id, namespace, _event, payload):
        told.append(payload)
        for node in nodes:
            assert node.shared.on_ephemeral(namespace, payload)

    bus.subscribe(lambda _: None, hear, lambda _: None)
    return nodes


def test_what_is_spent_on_one_node_is_spent_on_all(nodes):
    """But for a tenth that is not worth a word, and for the user who spent it."""
    one, other, third = nodes
    assert 0 == one.spend(60)
    one.shared.tell()

    assert 0 == other.spend(40)
    assert 0 < other.spend(20) < 20
    assert 0 == third.spend(100, BOB)


def test_nothing_is_told_twice_nor_of_who_spends_little(nodes, told):
    """A message a second of whoever sends an event now and then would cost more than it saves."""
    nodes[0].spend(10)
    nodes[0].shared.tell()
    assert [] == told
    nodes[0].spend(20)
    for _ in range(3):
        nodes[0].shared.tell()

    assert [{"ann": 19}] == [one["spent"] for one in told]


def test_nobody_is_refused_longer_than_by_one_node(nodes, clock):
    """Though the user has spent all of the rate on each of three nodes."""
    for node in nodes:
        node.spend(100)
    for node in nodes:
        node.shared.tell()
    clock.now += 60

    assert [0, 0, 0] == [node.spend(10) for node in nodes]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {
            "node": "x",
            "namespace": "/chat",
            "event": "typing",
            "spent": {"ann": "much", "": 5, "bob": -1, "eve": 10**30},
        },
        {"node": "x", "namespace": "/chat", "event": "no such", "spent": {"ann": 100}},
        {"node": "x", "namespace": "/chat", "event": "typing", "spent": {"ann": True}},
    ],
)
def test_what_makes_no_sense_counts_for_nothing(nodes, payload):
    """It is of a later release, or of somebody who may write to Redis."""
    assert nodes[0].shared.on_ephemeral(NAMESPACE, payload)

    assert 0 == nodes[0].spend(100)
    assert not nodes[0].shared.on_ephemeral("/chat", {})
