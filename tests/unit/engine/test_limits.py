"""The rate limit of one float."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.limits import Pace


def spend(pace, times):
    """Return how many of the spendings at these times were allowed."""
    state, allowed = 0.0, 0
    for now in times:
        next_state = pace.spend(state, now)
        if next_state >= 0.0:
            state, allowed = next_state, allowed + 1
    return allowed


def test_a_burst_is_allowed_at_once():
    """Exactly the burst passes at one moment."""
    assert 5 == spend(Pace(per_s=1.0, burst=5), [100.0] * 20)


def test_a_burst_is_whole_at_any_time_of_day():
    """Rounding of the clock takes nothing away."""
    pace = Pace(per_s=3.0, burst=6)

    assert [6] * 500 == [spend(pace, [now + 0.001 * n for n in range(6)]) for now in range(90_000, 590_000, 1000)]


def test_the_rate_is_allowed_for_ever():
    """Who keeps to the rate is never refused."""
    assert 1000 == spend(Pace(per_s=2.0, burst=1), [100.0 + n / 2.0 for n in range(1000)])


def test_a_pause_gives_the_burst_back():
    """After a rest the whole burst is there again, and no more."""
    assert 10 == spend(Pace(per_s=1.0, burst=5), [100.0] * 9 + [200.0] * 9)


def test_a_refusal_costs_nothing():
    """Being refused does not lengthen the wait."""
    assert 6 == spend(Pace(per_s=1.0, burst=5), [100.0] * 500 + [101.1])


@given(st.lists(st.floats(0, 100), max_size=200), st.floats(0.5, 20), st.integers(1, 30))
def test_never_more_than_burst_and_rate(times, per_s, burst):
    """Over any stretch of time at most burst + rate × time passes."""
    times = sorted(1.0 + time for time in times)
    allowed = spend(Pace(per_s, burst), times)

    span = times[-1] - times[0] if times else 0.0
    assert allowed <= burst + span * per_s + 1e-2
