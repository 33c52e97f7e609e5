"""Runs of the proof harness: real servers in processes of their own, hit by a fault."""

from pathlib import Path
from tempfile import mkdtemp

import pytest
from rich.console import Console

from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.report import report
from tocsin.cli.prove.run import Proof
from tocsin.cli.prove.stack import Design

SQLITE = Design()
CLUSTER = Design(nodes=2, is_cluster=True)


@pytest.fixture
def prove(tmp_path):
    """Carry out a fault and return its outcome; its report is shown when the test fails."""

    async def run(fault, design=SQLITE, **plan):
        folder = Path(mkdtemp(dir=tmp_path))
        outcome = await Proof(fault, Plan(**plan), design, folder, print).run()
        Console(width=140).print(report([outcome], []))  # shown when the test fails
        return outcome

    return run


@pytest.fixture(params=[SQLITE, CLUSTER], ids=["sqlite", "cluster"])
def design(request):
    """Each stack that the harness starts itself."""
    return request.param
