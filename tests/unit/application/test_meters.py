"""Histograms of plain numbers."""

import pytest

from tocsin.application.meters import Histogram


def test_a_value_is_counted_in_the_range_whose_bound_it_does_not_pass():
    """A bound belongs to the range below it, as Prometheus has it."""
    histogram = Histogram((1, 2, 5))
    for value in (0.5, 1, 1.5, 5, 9):
        histogram.observe(value)

    assert [2, 1, 1, 1] == histogram.counts
    assert (5, 17.0) == (histogram.count, histogram.total)
    assert [(1, 2), (2, 3), (5, 4), (float("inf"), 5)] == list(histogram.buckets())


@pytest.mark.parametrize(("share", "value"), [(0.5, 1.0), (0.75, 1.5), (0.25, 0.5), (1.0, 2.0)])
def test_a_quantile_is_read_between_the_bounds(share, value):
    """Values are taken to be spread evenly over their range."""
    histogram = Histogram((1, 2, 5))
    for one in (0.1, 0.9, 1.1, 1.9):
        histogram.observe(one)

    assert value == histogram.quantile(share)


def test_a_quantile_above_all_bounds_is_the_last_bound():
    """More is not known; without any value it is 0."""
    histogram = Histogram((1, 2))

    assert 0.0 == histogram.quantile(0.9)
    histogram.observe(100)
    assert 2 == histogram.quantile(0.9)
