"""The one timer: never early, at most a tick late, cancellable, and still when empty."""

import asyncio
import logging

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.fakes import FakeLoop
from tocsin.engine.timer_wheel import TimerWheel


class Recurring:
    def __init__(self, delays, loop):
        self.due_tick = 0
        self.fired = []
        self._delays = iter(delays)
        self._loop = loop

    def on_due(self, now):
        self.fired.append(self._loop.time())
        return next(self._delays, None)


def wheel(tick_s=0.25, **options):
    loop = FakeLoop()
    made = TimerWheel(tick_s, **options)
    made.bind(loop)
    return made, loop


def test_a_call_comes_in_time():
    """A call comes at or after its deadline, within a tick."""
    timers, loop = wheel()
    calls = []
    timers.call_later(1.1, lambda: calls.append(loop.time()))
    loop.advance(10)

    assert 1 == len(calls)
    assert 1001.1 <= calls[0] <= 1001.35 + 1e-9


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 20)), max_size=40), st.sampled_from([0.005, 0.25, 1.0]))
def test_every_call_comes_in_time(plan, tick_s):
    """Whatever is scheduled when: each call comes once, never early, at most a tick late."""
    timers, loop = wheel(tick_s)
    calls = []
    for pause, delay in plan:
        loop.advance(pause)
        deadline = loop.time() + delay
        timers.call_later(delay, lambda deadline=deadline: calls.append((deadline, loop.time())))
    loop.advance(30)

    assert len(plan) == len(calls)
    for deadline, called in calls:
        assert deadline - 1e-6 <= called <= deadline + tick_s + 1e-6


def test_a_cancelled_call_never_comes():
    """Cancelling twice, or after the call, has no effect."""
    timers, loop = wheel()
    calls = []
    timer = timers.call_later(1, lambda: calls.append("cancelled"))
    kept = timers.call_later(1, lambda: calls.append("kept"))
    timer.cancel()
    timer.cancel()
    loop.advance(5)
    kept.cancel()

    assert ["kept"] == calls


def test_an_entry_waits_for_its_last_schedule():
    """Scheduling again moves the deadline, earlier or later."""
    timers, loop = wheel()
    entry = Recurring([], loop)
    timers.schedule(entry, 1)
    timers.schedule(entry, 5)
    loop.advance(4)
    assert [] == entry.fired
    timers.schedule(entry, 0.5)
    loop.advance(20)

    assert 1 == len(entry.fired)


def test_an_entry_goes_on_as_long_as_it_says():
    """The seconds that an entry returns are its next deadline."""
    timers, loop = wheel()
    entry = Recurring([1.0, 2.0], loop)
    timers.schedule(entry, 1)
    loop.advance(60)

    assert [1001.0, 1002.0, 1004.0] == entry.fired
    assert 0 == entry.due_tick


def test_the_wheel_stands_still_when_empty():
    """Without entries there is no timer on the loop."""
    timers, loop = wheel()
    timer = timers.call_later(1, lambda: None)
    assert 1 == loop.waiting
    timer.cancel()
    loop.advance(2)

    assert 0 == loop.waiting
    assert 0 == len(timers)


def test_a_rest_does_not_delay_what_comes_after():
    """A wheel that was empty for a day is on time at once."""
    timers, loop = wheel()
    loop.advance(86_400)
    calls = []
    timers.call_later(1, lambda: calls.append(loop.time() - 87_400))
    loop.advance(3)

    assert 1 == len(calls)
    assert 1.0 <= calls[0] <= 1.25 + 1e-6


def test_thousands_in_one_tick_let_others_in():
    """A full tick is handled in batches; what is ready on the loop runs between them."""
    timers, loop = wheel(batch=10)
    order = []
    for _ in range(35):
        timers.call_later(1, lambda: order.append("timer"))
    timers.call_later(1, lambda: loop.call_soon(lambda: order.append("other")))
    loop.advance(2)

    assert 35 == order.count("timer")
    assert order.index("other") < 35 + 1


def test_cancelling_within_a_batch_counts():
    """An entry that waits for its turn in a full tick can still be cancelled."""
    timers, loop = wheel(batch=1)
    called = []
    made = []

    def cancel_the_others(mine):
        called.append(mine)
        for timer in made:
            timer.cancel()

    made.extend(timers.call_later(1, lambda n=n: cancel_the_others(n)) for n in range(5))
    loop.advance(2)

    assert 1 == len(called)


def test_a_failure_is_logged_and_stops_nobody(caplog):
    """What one entry raises is logged; the others are called."""
    timers, loop = wheel()
    calls = []
    timers.call_later(1, lambda: 1 / 0)
    timers.call_later(1, lambda: calls.append("fine"))
    with caplog.at_level(logging.ERROR):
        loop.advance(2)

    assert ["fine"] == calls
    assert ["A timer failed"] == [record.message for record in caplog.records]


def test_the_last_one_may_fail(caplog):
    """A failing entry that has cancelled all others of its tick does not stop the wheel."""
    timers, loop = wheel()
    both = []
    calls = []

    def fail():
        for timer in both:
            timer.cancel()
        raise RuntimeError("broken")

    both += [timers.call_later(1.0, fail), timers.call_later(1.0, fail)]
    timers.call_later(2.0, lambda: calls.append("later"))
    loop.advance(3)

    assert ["later"] == calls
    assert 1 == len(caplog.records)


def test_a_deadline_that_is_no_number_stops_nobody(caplog):
    """What an entry answers is its own fault alone."""
    timers, loop = wheel()
    timers.schedule(Recurring([float("nan")], loop), 1.0)
    calls = []
    timers.call_later(1.0, lambda: calls.append("other"))
    loop.advance(3)

    assert ["other"] == calls
    assert 1 == len(caplog.records)


def test_stop_forgets_everything():
    """After stop nothing is called, and the wheel can be used again."""
    timers, loop = wheel()
    calls = []
    timers.call_later(1, lambda: calls.append("old"))
    timers.stop()
    timers.call_later(1, lambda: calls.append("new"))
    loop.advance(5)

    assert ["new"] == calls


async def test_it_binds_to_the_running_loop():
    """Without ``bind`` the first use takes the running loop."""
    called = asyncio.Event()
    TimerWheel(0.01).call_later(0.01, called.set)

    async with asyncio.timeout(20):
        await called.wait()
