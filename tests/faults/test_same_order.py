"""Faults 9 to 12: identical requests, one user on two nodes, restarts, resumes."""

import pytest

from tests.faults.conftest import CLUSTER
from tocsin.cli.prove.faults.restart import RollingRestart
from tocsin.cli.prove.faults.resume import Resumes
from tocsin.cli.prove.faults.same_request import SameRequest
from tocsin.cli.prove.faults.two_nodes import TwoNodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_twenty_identical_posts_at_once_are_one(prove, design):
    """One key makes one row and one event, whichever node it came to, and each caller is told its id."""
    outcome = await prove(SameRequest, design, kills=3, posts=60, producers=2, clients=4)

    assert outcome.is_kept
    assert 60 < outcome.rows


async def test_all_devices_of_a_user_on_two_nodes_see_one_order(prove):
    """Both nodes write to one user; every device, also one that changes its node, shows the same in the same order."""
    outcome = await prove(TwoNodes, CLUSTER, kills=10, posts=300, producers=4, clients=8)

    assert outcome.is_kept
    assert 8 * outcome.rows == outcome.verdict.shown


async def test_a_rolling_restart_loses_nothing_and_everybody_comes_back(prove, design):
    """Nodes end and start one after the other, then every client is cut: nobody has to load afresh."""
    outcome = await prove(RollingRestart, design, posts=300, producers=4, clients=10, rate=100)

    assert outcome.is_kept
    assert 0 == outcome.kills


async def test_a_resume_during_heavy_publish_has_no_gap_and_nothing_twice(prove, design):
    """Where the replay ends and live events begin no client is sent an event again or has to ask for one."""
    outcome = await prove(Resumes, design, resumes=80, posts=400, producers=4, clients=8)

    assert outcome.is_kept
    assert 80 <= outcome.connects
