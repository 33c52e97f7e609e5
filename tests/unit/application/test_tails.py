"""Readers without a socket: whose bell rings, and who is one too many."""

import pytest

from tocsin.adapters.bus_local import LocalBus
from tocsin.application.tails import Tails
from tocsin.domain.errors import Overloaded, RateLimited
from tocsin.domain.principal import Principal
from tocsin.domain.stream import StreamEvent, StreamKey

ANN = StreamKey("ann", "/notifications")
BOB = StreamKey("bob", "/notifications")


def event(key):
    return StreamEvent(*key, 1, "e", "notification", b"{}", 0)


@pytest.fixture
def tails():
    return Tails(LocalBus(), 2)


@pytest.fixture
def follow(tails):
    def follow(key, token_id=None):
        return tails.follow(key, Principal(key.user_id, frozenset(), 1e10, token_id), "10.0.0.1")

    return follow


def test_only_the_bells_of_a_stream_ring(tails, follow):
    """Of an event and of a wake-up; both of two who follow it."""
    with follow(ANN) as one, follow(ANN) as two, follow(BOB) as other:
        tails.on_events([event(ANN)])
        assert [True, True, False] == [tail.bell.is_set() for tail in (one, two, other)]
        one.bell.clear()
        tails.on_wake([BOB])
        assert [False, True, True] == [tail.bell.is_set() for tail in (one, two, other)]


def test_all_ring_when_wake_ups_may_be_missing(tails, follow):
    """Each looks into the log."""
    with follow(ANN) as one, follow(BOB) as other:
        tails.on_gap()

        assert one.bell.is_set()
        assert other.bell.is_set()


def test_one_too_many_of_a_user_is_refused_until_one_has_gone(tails, follow):
    """Whichever namespaces they are of; another user's do not count, and nothing is left behind."""
    with follow(ANN), follow(StreamKey("ann", "/chat")) as _:
        with pytest.raises(RateLimited, match="close one"), follow(ANN):
            pass
        with follow(BOB):
            assert 3 == len(tails)
    with follow(ANN):
        pass

    assert (0, {}) == (len(tails), tails.waiting)


def test_a_node_that_closes_wakes_all_and_takes_nobody(tails, follow):
    """Whoever comes is told to come again."""
    with follow(ANN) as tail:
        tails.close()
        assert (True, False) == (tail.bell.is_set(), tail.is_open)
    with pytest.raises(Overloaded), follow(ANN):
        pass


def test_those_end_whose_token_is_meant(tails, follow):
    """At once and not with the next look; nobody else does."""
    with follow(ANN, "old") as old, follow(ANN, "new") as new, follow(BOB) as other:
        tails.end(lambda principal: principal.token_id == "old")

        assert [False, True, True] == [tail.is_open for tail in (old, new, other)]
        assert [True, False, False] == [tail.bell.is_set() for tail in (old, new, other)]


def test_readers_are_counted_by_namespace(tails, follow):
    """A namespace without any is there, too."""
    with follow(ANN), follow(BOB), follow(StreamKey("ann", "/chat")):
        assert {"/sns": 0, "/orders": 0, "/chat": 1, "/notifications": 2} == tails.count()
        assert [ANN, StreamKey("ann", "/chat")] == sorted((tail.key for tail in tails.of("ann")), reverse=True)
