"""Rounds: work that comes again and again, whatever becomes of one."""

import asyncio
import logging

from tocsin.application.rounds import Rounds
from tocsin.domain.errors import StorageFull


class Work:
    """Answers as told, then with None for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.done = 0
        self.is_enough = asyncio.Event()
        self.enough = 0
        self.during = lambda: None

    async def __call__(self):
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        self.done += 1
        self.during()
        if self.done >= self.enough:
            self.is_enough.set()
        return answer

    async def is_done(self, times):
        self.enough = times
        if self.done < times:
            self.is_enough.clear()
            await asyncio.wait_for(self.is_enough.wait(), 20)


async def test_a_cause_is_told_once_and_its_end(caplog):
    """A database that is away for an hour does not fill the log; another cause is another line."""
    caplog.set_level(logging.INFO)
    work = Work(StorageFull("full"), StorageFull("full"), StorageFull("read only"), StorageFull("read only"))
    rounds = Rounds("the work", work, longest_s=0.001)
    rounds.start()
    await work.is_done(2)
    await rounds.stop()

    assert [record.getMessage() for record in caplog.records] == [
        "the work can't go on now: full",
        "the work can't go on now: read only",
        "the work: going on",
    ]
    assert rounds.failures == 4


async def test_a_fault_is_told_each_time_and_ends_nothing(caplog):
    """A bug shows where it is."""
    work = Work(ZeroDivisionError(), ZeroDivisionError())
    rounds = Rounds("the work", work, longest_s=0.001)
    rounds.start()
    await work.is_done(1)
    await rounds.stop()

    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "ZeroDivisionError" in caplog.text


async def test_the_next_round_comes_when_one_says_or_somebody_hurries():
    """Both before the longest pause is over."""
    work = Work(0.001)
    rounds = Rounds("the work", work, longest_s=3_600)
    rounds.start()
    await work.is_done(2)
    rounds.hurry()
    await work.is_done(3)
    await rounds.stop()

    assert not rounds.hurries


async def test_hurry_during_a_round_is_not_lost():
    """What was written while a round ended is looked at by the next."""
    work = Work()
    rounds = Rounds("the work", work, longest_s=3_600)
    work.during = lambda: rounds.hurry() if work.done == 1 else None
    rounds.start()
    await work.is_done(2)
    await rounds.stop()


async def test_no_round_begins_after_stop_and_starting_twice_is_one():
    """Stopping what never started is no error."""
    work = Work()
    rounds = Rounds("the work", work, longest_s=0.001)
    await rounds.stop()
    rounds.start()
    rounds.start()
    await work.is_done(2)
    await rounds.stop()
    done = work.done
    await asyncio.sleep(0.05)

    assert done == work.done
