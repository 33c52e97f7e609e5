"""
Faults 3 to 8 and 13: what the servers stand on fails, or what is between them and their clients.

A check with ``≤`` in its name is one of time: here it is no failure, for the machine may be busy.
"""

import pytest

from tests.faults.conftest import CLUSTER, SQLITE
from tocsin.cli.prove.faults import disk
from tocsin.cli.prove.faults.bus import Bus
from tocsin.cli.prove.faults.clock import Clock
from tocsin.cli.prove.faults.database import Database
from tocsin.cli.prove.faults.disk import FullDisk
from tocsin.cli.prove.faults.links import Links
from tocsin.cli.prove.faults.push import PushProvider
from tocsin.cli.prove.faults.slow import SlowClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SMALL = {"posts": 300, "producers": 4, "clients": 9, "kills": 1}
CASES = {
    "database": (Database, CLUSTER, 3.0),
    "bus": (Bus, CLUSTER, 3.0),
    "disk": (FullDisk, SQLITE, 4.0),
    "disk-cluster": (FullDisk, CLUSTER, 4.0),
    "clock": (Clock, CLUSTER, 2.0),
    "slow": (SlowClient, SQLITE, 3.0),
    "links": (Links, CLUSTER, 1.0),
    "push": (PushProvider, SQLITE, 2.0),
}
POSSIBLE = {name: case for name, case in CASES.items() if case[0].obstacle(case[1].has) is None}


def missed(outcome):
    """Return the checks that are not met and are none of time."""
    return [(check.name, check.detail) for check in outcome.checks if not check.is_met and "≤" not in check.name]


def kept(outcome):
    return outcome.verdict.is_kept and not outcome.failures and outcome.rows == outcome.verdict.acked


@pytest.mark.parametrize(("fault", "design", "hold_s"), POSSIBLE.values(), ids=POSSIBLE)
async def test_nothing_is_lost(prove, fault, design, hold_s):
    """All counts are 0, and the fault's own promises are met."""
    outcome = await prove(fault, design, hold_s=hold_s, **SMALL)

    assert kept(outcome)
    assert [] == missed(outcome)
    assert outcome.checks


async def test_a_disk_that_can_not_be_mounted_is_a_limit_of_file_sizes(prove, monkeypatch):
    """Without root the same promises are looked at, with files that may not grow."""
    monkeypatch.setattr(disk, "may_mount", lambda: False)
    outcome = await prove(FullDisk, SQLITE, hold_s=4.0, **SMALL)

    assert kept(outcome)
    assert [] == missed(outcome)


def test_what_a_machine_does_not_allow_is_told(monkeypatch):
    """Each fault says in one line why it does not apply."""
    monkeypatch.setattr(disk, "may_mount", lambda: False)
    monkeypatch.setenv("PATH", "")

    assert "it needs a PostgreSQL that it may end (--cluster)" == Database.obstacle(SQLITE.has)
    assert "more than one node" in Bus.obstacle(SQLITE.has)
    assert "the right to mount" in FullDisk.obstacle(frozenset({"postgres"}))
    assert "it needs a C compiler (cc)" == Clock.obstacle(frozenset())
    assert [None] * 3 == [fault.obstacle(frozenset()) for fault in (SlowClient, Links, PushProvider)]
