"""Failpoints: which spelling arms one, and what passes."""

import pytest

from tocsin.adapters.failpoint import Failpoints


def test_unarmed_points_are_passed():
    """Without the variable nothing happens."""
    points = Failpoints()

    for _ in range(3):
        points.reach("after_commit_before_emit")


def test_other_points_are_passed():
    """Only the named point counts its passes."""
    points = Failpoints("here:1")

    points.reach("there")


@pytest.mark.parametrize("armed", ["here", "here:", "here:0", ":1", "here:x", "here:-1", "here:²"])
def test_a_bad_spelling_is_refused(armed):
    """A harness that misspells its point must not believe it was passed."""
    with pytest.raises(ValueError, match="TOCSIN_FAILPOINT"):
        Failpoints(armed)
