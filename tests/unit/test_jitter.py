"""The spread of waits: within its bounds, and a host's seeded ``random`` keeps its sequence."""

import random

from tocsin.domain.jitter import jitter


def test_it_is_spread_over_its_bounds():
    drawn = [jitter(2.0, 4.0) for _ in range(1000)]

    assert all(2.0 <= value <= 4.0 for value in drawn)
    assert max(drawn) - min(drawn) > 1.0


def test_it_takes_nothing_from_the_hosts_sequence():
    before = random.getstate()
    jitter(0.0, 1.0)

    assert random.getstate() == before
