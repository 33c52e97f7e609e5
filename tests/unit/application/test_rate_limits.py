"""Rates of client events: what is refused, for how long, and what is remembered of whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.application.rate_limits import EventLimit, RateLimits
from tocsin.domain.errors import RateLimited
from tocsin.domain.rate import Rate
from tocsin.domain.user_id import UserId

ANN, BOB = UserId("ann"), UserId("bob")


class FakeClock:
    def __init__(self) -> None:
        self.now = 1_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def limits(clock):
    return RateLimits(Rate(1_000, 60.0), clock=clock)


def refused_for(limit, user=ANN):
    """Return for how long an event is refused; 0 when it is counted."""
    try:
        limit.spend(user)
    except RateLimited as refusal:
        return refusal.retry_after_s
    return 0


def spent(limit, user=ANN, most=10_000):
    """Send events until one is refused; return how many were not."""
    return next(count for count in range(most) if refused_for(limit, user))


def limit_of(clock, count, period_s, **options):
    return EventLimit(lambda: Rate(count, period_s), clock, **options)


@pytest.mark.parametrize("count", [1, 2, 10, 6_000])
def test_all_of_a_period_may_come_at_once_and_no_more(clock, count):
    """A burst of the whole count passes; the next event is refused and tells when it is not."""
    limit = limit_of(clock, count, 60.0)

    assert count == spent(limit)
    assert pytest.approx(60 / count, abs=0.002) == refused_for(limit)


def test_what_it_told_to_wait_is_enough(clock):
    """After ``retry_after_s`` exactly one more event passes."""
    limit = limit_of(clock, 10, 60.0)
    spent(limit)
    clock.now += refused_for(limit)

    assert 1 == spent(limit)


def test_refused_events_cost_nothing(clock):
    """Who goes on sending waits no longer than who stops."""
    limit = limit_of(clock, 10, 60.0)
    spent(limit)
    waits = [refused_for(limit) for _ in range(1_000)]

    assert 1 == len(set(waits))


def test_a_period_of_rest_gives_back_the_burst(clock):
    """What is spent comes back evenly, all of it within a period."""
    limit = limit_of(clock, 10, 60.0)
    spent(limit)
    clock.now += 30.0
    assert 5 == spent(limit)
    clock.now += 60.0
    assert 10 == spent(limit)
    clock.now += 600.0
    assert 10 == spent(limit)


def test_users_and_events_count_on_their_own(limits, clock):
    """One user's flood of one event leaves other users, events and namespaces alone."""
    limits.set_rate("/", "roll", lambda: Rate(3, 60.0))
    roll = limits.of("/", "roll")

    assert 3 == spent(roll, ANN)
    assert 3 == spent(roll, BOB)
    assert 0 == refused_for(limits.of("/", "other"))
    assert 0 == refused_for(limits.of("/game", "roll"))


def test_an_event_without_a_rate_has_the_default(limits):
    """The default holds for each event; a rate that is not found stands for it."""
    limits.set_rate("/", "unmarked", lambda: None)

    assert 1_000 == spent(limits.of("/", "plain"))
    assert 1_000 == spent(limits.of("/", "unmarked"))


def test_an_event_has_one_limit(limits):
    """Who asks for it early and who asks late get the same, with the rate that was set between."""
    early = limits.of("/", "roll")
    early.spend(ANN)
    limits.set_rate("/", "roll", lambda: Rate(2, 60.0))

    assert early is limits.of("/", "roll")
    assert 2 == spent(early)


def test_the_rate_is_looked_up_at_the_first_event_and_once(limits):
    """What is marked between its registration and its first event has the rate; later it stays."""
    rates, asked = [None], []
    limits.set_rate("/", "roll", lambda: asked.append(1) or rates[0])
    rates[0] = Rate(2, 60.0)
    found = spent(limits.of("/", "roll"), ANN)
    rates[0] = Rate(5, 60.0)

    assert (2, 2) == (found, spent(limits.of("/", "roll"), BOB))
    assert [1] == asked


def test_the_idle_are_forgotten_and_the_busy_are_not(limits, clock):
    """Two periods after their last event nothing is kept; a user who has spent all stays refused."""
    limits.set_rate("/", "roll", lambda: Rate(3, 60.0))
    roll = limits.of("/", "roll")
    for number in range(1_000):
        roll.spend(UserId(str(number)))
    spent(roll, ANN)
    clock.now += 59.0
    limits.forget_idle()
    spent(roll, BOB)
    clock.now += 1.0
    limits.forget_idle()

    assert refused_for(roll, BOB)
    assert 1_002 == len(limits)
    clock.now += 40.0
    limits.forget_idle()
    assert 2 == spent(roll, BOB)
    clock.now += 20.0
    limits.forget_idle()
    assert 1 == len(limits)
    assert 1 == spent(roll, BOB)
    for _ in range(2):
        clock.now += 60.0
        limits.forget_idle()
    assert 0 == len(limits)


def test_memory_is_bounded_however_many_users_come(clock):
    """Beyond the bound those who were quiet longest are forgotten; nobody is refused for it."""
    limit = limit_of(clock, 2, 86_400.0, max_users=100)
    spent(limit, ANN)
    for number in range(10_000):
        assert 0 == refused_for(limit, UserId(str(number)))
        assert 201 >= len(limit)

    assert 0 == refused_for(limit, ANN)


@given(
    st.integers(1, 20),
    st.floats(0.5, 1_000.0),
    st.lists(st.floats(0.0, 500.0), max_size=60),
)
def test_no_order_of_events_gets_more_than_the_rate(count, period_s, pauses):
    """In any span of time at most the burst and what comes back in it is counted, however memory is swept."""
    clock = FakeClock()
    limit = limit_of(clock, count, period_s)
    counted = []
    for pause in pauses:
        clock.now += pause
        limit.forget_idle()
        if not refused_for(limit):
            counted.append(clock.now)

    for first, start in enumerate(counted):
        for number, end in enumerate(counted[first:], 1):
            assert number <= count + (end - start) * count / period_s + 0.01
