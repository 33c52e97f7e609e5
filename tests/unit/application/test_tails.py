"""Readers without a socket: whose bell rings, and who is one too many."""

import pytest

from tocsin.adapters.bus_local import LocalBus
from tocsin.application.tails import Tails
from tocsin.domain.errors import Overloaded, RateLimited
from tocsin.domain.stream import StreamEvent, StreamKey

ANN = StreamKey("ann", "/notifications")
BOB = StreamKey("bob", "/notifications")


def event(key):
    return StreamEvent(*key, 1, "e", "notification", b"{}", 0)


@pytest.fixture
def tails():
    return Tails(LocalBus(), 2)


def test_only_the_bells_of_a_stream_ring(tails):
    """Of an event and of a wake-up; both of two who follow it."""
    with tails.follow(ANN) as one, tails.follow(ANN) as two, tails.follow(BOB) as other:
        tails.on_events([event(ANN)])
        assert [True, True, False] == [bell.is_set() for bell in (one, two, other)]
        one.clear()
        tails.on_wake([BOB])
        assert [False, True, True] == [bell.is_set() for bell in (one, two, other)]


def test_all_ring_when_wake_ups_may_be_missing(tails):
    """Each looks into the log."""
    with tails.follow(ANN) as one, tails.follow(BOB) as other:
        tails.on_gap()

        assert one.is_set()
        assert other.is_set()


def test_one_too_many_of_a_user_is_refused_until_one_has_gone(tails):
    """Whichever namespaces they are of; another user's do not count, and nothing is left behind."""
    with tails.follow(ANN), tails.follow(StreamKey("ann", "/chat")) as _:
        with pytest.raises(RateLimited, match="close one"), tails.follow(ANN):
            pass
        with tails.follow(BOB):
            assert 3 == len(tails)
    with tails.follow(ANN):
        pass

    assert (0, {}) == (len(tails), tails.waiting)


def test_a_node_that_closes_wakes_all_and_takes_nobody(tails):
    """Whoever comes is told to come again."""
    with tails.follow(ANN) as bell:
        tails.close()
        assert bell.is_set()
    with pytest.raises(Overloaded), tails.follow(ANN):
        pass
