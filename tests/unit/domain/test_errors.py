"""Refusals: one stable problem object each."""

import pytest

from tocsin.domain import errors
from tocsin.domain.errors import TocsinError

# Those whose problems are told; of the others somebody makes something else first.
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, TocsinError)
    and kind not in {TocsinError, errors.AlreadyClaimed, errors.KeyUnknown}
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_problem_names_its_kind(kind):
    """Type, code and status are the class's, the detail is the instance's."""
    problem = kind("what is wrong").problem()

    assert {
        "type": f"urn:tocsin:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": "what is wrong",
        "retryable": kind.retryable,
    } == problem


def test_codes_are_unique():
    """A client can tell every refusal from every other."""
    codes = [kind.code for kind in KINDS]

    assert len(codes) == len(set(codes))
    assert all(kind.__doc__ for kind in KINDS)


def test_a_known_wait_is_told():
    """``retry_after_s`` stands in the problem where it is known."""
    assert 1.5 == errors.Overloaded("busy", retry_after_s=1.5).problem()["retry_after_s"]


def test_who_claimed_first_is_part_of_the_problem():
    """And the code tells it from other conflicts."""
    claim = {"claimed_by": 7, "claimed_at": "2026-11-27T12:00:00.000Z"}
    problem = errors.AlreadyClaimed(claim).problem()

    assert (409, "already_claimed") == (problem["status"], problem["code"])
    assert claim == {name: problem[name] for name in claim}
