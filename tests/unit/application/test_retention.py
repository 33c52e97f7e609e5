"""Retention: goes on for the life of the service."""

import asyncio

from tocsin.application.retention import Retention
from tocsin.domain.errors import StorageFull


class Pruned:
    """The part of a store that prunes; fails as told, then reports."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.moments = []
        self.twice = asyncio.Event()

    async def prune(self, now, _kept):
        if self.failures:
            raise self.failures.pop(0)
        self.moments.append(now)
        if len(self.moments) == 2:
            self.twice.set()
        return {"stream_event": 1}


async def test_it_prunes_again_and_again():
    """It begins at once and repeats with the clock's instant."""
    pruned = Pruned()
    retention = Retention(pruned, interval_s=0.001, clock=lambda: 7)
    retention.rounds.start()

    await asyncio.wait_for(pruned.twice.wait(), 20)
    await retention.rounds.stop()

    assert {7} == set(pruned.moments)


async def test_failures_do_not_end_it(caplog):
    """A full disk or a fault of ours is logged, and the next round comes."""
    pruned = Pruned(StorageFull("full"), ZeroDivisionError())
    retention = Retention(pruned, interval_s=0.001)
    retention.rounds.start()

    await asyncio.wait_for(pruned.twice.wait(), 20)
    await retention.rounds.stop()

    assert "retention can't go on now: full" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_stopping_ends_it():
    """No round begins after ``stop``; stopping what never started is no error."""
    pruned = Pruned()
    retention = Retention(pruned, interval_s=0.001)
    await retention.rounds.stop()
    retention.rounds.start()
    await asyncio.wait_for(pruned.twice.wait(), 20)
    await retention.rounds.stop()
    count = len(pruned.moments)

    for _ in range(20):
        await asyncio.sleep(0.001)

    assert count == len(pruned.moments)


async def test_one_round_drops_what_is_due(store):
    """``prune`` returns the counts by table."""
    dropped = {"stream_event": 0, "notification": 0, "delivery_attempt": 0, "idempotency_key": 0}
    assert (
        dropped | {"group_member": 0, "e2ee_to_device": 0, "fan_out": 0, "revocation": 0}
        == await Retention(store).prune()
    )
