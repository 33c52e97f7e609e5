"""Runs of the proof harness: a real server in a process of its own, killed with SIGKILL."""

import pytest

from tocsin.cli.prove.command import report
from tocsin.cli.prove.run import Plan, Proof


@pytest.fixture
def prove(tmp_path):
    """Carry out a plan and return its outcome; its report is shown when the test fails."""

    async def run(**plan):
        outcome = await Proof(Plan(**plan), tmp_path, print).run()
        print(report(Plan(**plan), outcome))  # noqa: T201 - shown when the test fails
        return outcome

    return run
