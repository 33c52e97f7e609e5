"""Mutated sessions against a real server, beside clients that behave."""

import pytest

from fuzz import live

SESSIONS = 400


@pytest.mark.slow
async def test_bystanders_lose_nothing_to_mutated_sessions(tmp_path):
    """The four counts are 0, the log holds no error, and the memory stays."""
    report = await live.run(tmp_path, sessions=SESSIONS, minutes=1.0, seed=7)

    assert report.verdict is not None
    assert [] == [(name, count.examples) for name, count in report.verdict.counts() if count.number]
    assert () == report.complaints
    assert report.is_good
    assert report.sessions >= SESSIONS
    assert report.answered > SESSIONS // 2
