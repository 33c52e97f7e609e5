"""Faults 1 and 2: SIGKILL at random moments under load, and at the two worst ones."""

import pytest

from tocsin.cli.prove.faults.failpoint import Failpoints
from tocsin.cli.prove.faults.kill import Kills

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_kills_under_load_lose_double_misorder_and_invent_nothing(prove, design):
    """Everything acknowledged is shown once and in order by every client, and each post is one row."""
    outcome = await prove(Kills, design, kills=3, posts=1_500, producers=8, clients=20)

    assert outcome.is_kept
    assert 3 == outcome.kills
    assert 1_500 <= outcome.verdict.acked == outcome.rows
    assert 2 * outcome.rows == outcome.verdict.shown


async def test_a_kill_between_commit_and_ack_makes_no_second_row(prove, design):
    """
    The event arrives by resume, or did already; the producer's retry is the same post.

    Before the emit no client heard of it, before the ack the producer did not.
    """
    outcome = await prove(Failpoints, design, posts=200, producers=4, clients=10)

    assert outcome.is_kept
    assert 2 * design.nodes == outcome.kills
    assert 0 < outcome.retries
