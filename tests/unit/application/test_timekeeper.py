"""The clock of inboxes: does what is due, sleeps till then, and no fault ends it."""

import asyncio
import logging
import time

import orjson
import pytest

from tocsin.application.timekeeper import PART, Timekeeper
from tocsin.domain.errors import StorageFull
from tocsin.domain.notification import Notification
from tocsin.domain.stream import StreamEvent


class Inboxes:
    """The part of a store that changes by time: instants at which a row is due each."""

    def __init__(self, *due, failures=()):
        self.due = sorted(due)
        self.failures = list(failures)
        self.parts = []
        self.looks = 0

    async def next_change(self):
        self.looks += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.due[0] if self.due else None

    async def change_by_time(self, most):
        now = time.time() * 1000
        done = [instant for instant in self.due if instant <= now][:most]
        self.due = self.due[len(done) :]
        self.parts.append(len(done))
        return len(done)

    async def is_done(self):
        async with asyncio.timeout(20):
            while self.due:  # noqa: ASYNC110 nothing tells of it
                await asyncio.sleep(0.01)


async def test_what_is_due_is_worked_off_in_parts():
    """A thousand snoozes that end at eight let writes of others pass between."""
    inboxes = Inboxes(*range(PART * 2 + 1))
    await Timekeeper(inboxes).work_off()

    assert [PART, PART, 1] == inboxes.parts


async def test_it_sleeps_till_something_is_due():
    """And not for longer, also when that was written after it went to sleep."""
    inboxes = Inboxes()
    timekeeper = Timekeeper(inboxes)
    timekeeper.rounds.start()
    await asyncio.sleep(0.1)
    due_at = time.time() * 1000 + 200
    inboxes.due = [due_at]
    timekeeper.look()
    await inboxes.is_done()
    await timekeeper.rounds.stop()

    assert time.time() * 1000 >= due_at
    assert inboxes.looks < 50


async def test_failures_do_not_end_it(caplog):
    """A full disk, or a fault of ours, is logged, and the next look comes."""
    caplog.set_level(logging.INFO, "tocsin.application.rounds")
    inboxes = Inboxes(0, failures=[StorageFull("full"), ZeroDivisionError()])
    timekeeper = Timekeeper(inboxes)
    timekeeper.rounds.start()
    for _ in range(200):
        timekeeper.look()
        await asyncio.sleep(0.02)
        if not inboxes.due:
            break
    await timekeeper.rounds.stop()

    assert [] == inboxes.due
    assert ["WARNING", "ERROR", "INFO"] == [
        record.levelname for record in caplog.records if record.name == "tocsin.application.rounds"
    ]


@pytest.mark.parametrize(
    ("event", "times", "looks"),
    [
        ("notification_read", {}, False),
        ("notification_updated", {}, True),
        ("notification", {}, False),
        ("notification", {"expires_at": 7}, True),
        ("notification", {"snoozed_until": 7}, True),
    ],
)
async def test_only_what_sets_a_time_makes_it_look(event, times, looks):
    """An ordinary notification costs no read."""
    timekeeper = Timekeeper(Inboxes())
    words = dict.fromkeys(("id", "user_id", "type", "title", "message", "category", "priority", "sound"), "x")
    one = Notification(**words, seq=1, data={}, created_at=0, **times)
    timekeeper.on_events([StreamEvent("u", "/notifications", 1, "e", event, orjson.dumps(one.json()), 0)])

    assert looks == timekeeper.rounds.hurries


async def test_what_is_due_and_not_done_is_not_hammered():
    """A row that a fault keeps due costs some looks a second."""
    inboxes = Inboxes(0)

    async def nothing(_most):
        return 0

    inboxes.change_by_time = nothing
    timekeeper = Timekeeper(inboxes)
    timekeeper.rounds.start()
    await asyncio.sleep(0.5)
    await timekeeper.rounds.stop()

    assert inboxes.looks < 50
