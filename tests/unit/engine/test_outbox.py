"""What waits for a slow client."""

import pytest

from tocsin.engine.limits import Limits
from tocsin.engine.outbox import Outbox


@pytest.fixture
def outbox():
    return Outbox(Limits(queue_packets=3, queue_bytes=100))


def test_order_is_kept(outbox):
    """Items leave in the order of their coming, once."""
    for item in "abc":
        assert outbox.add(item, 1, ephemeral=False)

    assert ["a", "b", "c"] == outbox.take()
    assert [] == outbox.take()
    assert (0, 0) == (len(outbox), outbox.size)


def test_a_part_is_taken_from_the_front(outbox):
    """What is left stays in order and goes on counting."""
    for item in "abc":
        outbox.add(item, 1, ephemeral=False)

    assert ["a", "b"] == outbox.take(2)
    assert (1, 1) == (len(outbox), outbox.size)
    assert ["c"] == outbox.take(2)


def test_a_full_box_drops_a_new_ephemeral(outbox):
    """What may be lost is lost first, and said to be."""
    for item in "abc":
        outbox.add(item, 1, ephemeral=False)

    assert outbox.add("typing", 1, ephemeral=True) is False
    assert ["a", "b", "c"] == outbox.take()


def test_a_full_box_drops_waiting_ephemerals(outbox):
    """What must not be lost takes the place of what may."""
    outbox.add("typing", 40, ephemeral=True)
    outbox.add("a", 40, ephemeral=False)
    assert outbox.add("b", 40, ephemeral=False)

    assert 80 == outbox.size
    assert ["a", "b"] == outbox.take()


@pytest.mark.parametrize(("count", "size"), [(3, 1), (2, 45)])
def test_a_full_box_says_so(outbox, count, size):
    """Packets and bytes are both bounded."""
    for _ in range(count):
        outbox.add("x", size, ephemeral=False)

    assert outbox.add("y", size, ephemeral=False) is None


def test_bytes_beside_count(outbox):
    """Bytes that wait elsewhere for the same client are its debt as well."""
    outbox.add("a", 10, ephemeral=False)

    assert outbox.add("b", 10, ephemeral=False, beside=90) is None


def test_one_item_may_be_bigger_than_the_box(outbox):
    """A client that owes nothing gets even a packet beyond the bound."""
    assert outbox.add("huge", 1000, ephemeral=False)
