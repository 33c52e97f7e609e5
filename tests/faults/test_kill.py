"""Faults 1 and 2: SIGKILL at random moments under load, and at the two worst ones."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def counts(outcome):
    return {name: count.examples for name, count in outcome.verdict.counts() if count.number}


async def test_kills_under_load_lose_double_misorder_and_invent_nothing(prove):
    """Everything acknowledged is shown once and in order by every client, and each post is one row."""
    outcome = await prove(kills=3, posts=1_500, producers=8, clients=20)

    assert {} == counts(outcome)
    assert (3, 1_500, 1_500) == (outcome.kills, outcome.verdict.acked, outcome.rows)
    assert 3_000 == outcome.verdict.shown
    assert outcome.is_kept


@pytest.mark.parametrize("place", ["after_commit_before_emit", "after_emit_before_ack"])
async def test_a_kill_between_commit_and_ack_makes_no_second_row(prove, place):
    """
    The event arrives by resume, or did already; the producer's retry is the same post.

    Before the emit no client heard of it, before the ack the producer did not.
    """
    outcome = await prove(kills=0, posts=200, producers=4, clients=10, failpoint=f"{place}:20")

    assert {} == counts(outcome)
    assert (1, 200, 200) == (outcome.kills, outcome.verdict.acked, outcome.rows)
    assert 0 < outcome.retries
    assert outcome.is_kept
