"""Sync calls in threads: bounded, in order a lane, and nobody waits for one that hangs."""

import asyncio
import contextvars
import threading

import pytest

from tocsin.domain.errors import Overloaded
from tocsin.realtime.host_threads import HostThreads

DEADLINE_S = 20.0


class Gate:
    """A call that tells when it has begun and waits until it is let go."""

    def __init__(self, answer=None) -> None:
        self.answer = answer
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self):
        self.begun.set()
        assert self.open.wait(DEADLINE_S)
        return self.answer

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, DEADLINE_S)


@pytest.fixture
async def make_threads():
    made = []

    def make(threads, **options):
        made.append(HostThreads(threads, **options))
        return made[-1]

    yield make
    for threads in made:
        await threads.stop(DEADLINE_S)


def running():
    return {thread for thread in threading.enumerate() if thread.name.startswith("tocsin-host")}


async def test_a_call_runs_in_a_thread_and_its_result_comes_back(make_threads):
    """What it returns is returned, what it raises is raised, and the loop's thread is another."""
    threads = make_threads(2)

    def fail():
        raise ValueError("no")

    assert threading.current_thread() is not await threads.run("a", threading.current_thread)
    with pytest.raises(ValueError, match="no"):
        await threads.run("a", fail)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), StopIteration(), asyncio.CancelledError()])
async def test_what_would_end_the_loop_is_an_error_of_the_call(make_threads, error):
    """``sys.exit()`` in a handler does not end the server."""
    threads = make_threads(1)

    def fail():
        raise error

    with pytest.raises(RuntimeError, match=type(error).__name__):
        await threads.run("a", fail)

    assert 1 == await threads.run("a", lambda: 1)


async def test_calls_of_a_lane_run_one_after_another_in_order(make_threads):
    """Also when there are threads enough to run them at the same time."""
    threads, order, at_once = make_threads(8), [], []

    def note(number):
        at_once.append(number)
        order.append(number)
        assert [number] == at_once
        at_once.remove(number)
        return number

    answers = await asyncio.gather(*(threads.run("a", lambda n=number: note(n)) for number in range(300)))

    assert list(range(300)) == answers == order


async def test_a_call_that_hangs_blocks_its_own_lane_only(make_threads):
    """Others go on, in as many threads as there are besides."""
    threads, stuck, later = make_threads(2), Gate("a"), []
    first = asyncio.create_task(threads.run("a", stuck))
    await stuck.has_begun()
    second = asyncio.create_task(threads.run("a", lambda: later.append(1)))
    for lane in range(50):
        assert lane == await threads.run(lane, lambda lane=lane: lane)

    assert not first.done()
    assert [] == later
    stuck.open.set()
    assert "a" == await first
    await second
    assert [1] == later


async def test_no_more_threads_than_asked_for_run(make_threads):
    """A hundred lanes that wait share them; an idle thread is used again before another is made."""
    before = running()
    threads = make_threads(3)
    for _ in range(10):
        await threads.run("a", lambda: None)
    assert 1 == len(running() - before)
    gates = [Gate(number) for number in range(100)]
    calls = [asyncio.create_task(threads.run(number, gate)) for number, gate in enumerate(gates)]
    for gate in gates[:3]:
        await gate.has_begun()

    assert 3 == sum(gate.begun.is_set() for gate in gates) == len(running() - before)
    for gate in gates:
        gate.open.set()
    assert list(range(100)) == await asyncio.gather(*calls)
    assert 3 == len(running() - before)


async def test_too_many_lanes_that_wait_are_refused(make_threads, caplog):
    """Those beyond the bound are told so, the log once; who waits gets its turn."""
    threads, gates = make_threads(1, waiting=2), [Gate() for _ in range(3)]
    calls = [asyncio.create_task(threads.run(number, gate)) for number, gate in enumerate(gates)]
    await gates[0].has_begun()
    for _ in range(3):
        with pytest.raises(Overloaded) as refusal:
            await threads.run("late", lambda: None)

    assert refusal.value.retry_after_s
    assert 1 == caplog.text.count("TOCSIN_HOST_THREADS")
    for gate in gates:
        gate.open.set()
    await asyncio.gather(*calls)
    assert 5 == await threads.run("late", lambda: 5)


async def test_a_caller_that_is_gone_skips_its_turn(make_threads):
    """A cancelled call that has not begun is not made; those behind it are."""
    threads, gate, made = make_threads(1), Gate(), []
    first = asyncio.create_task(threads.run("a", gate))
    await gate.has_begun()
    gone = asyncio.create_task(threads.run("a", lambda: made.append("gone")))
    after = asyncio.create_task(threads.run("a", lambda: made.append("after")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    gate.open.set()
    await asyncio.gather(first, after)

    assert ["after"] == made


async def test_a_call_leaves_nothing_in_context_variables(make_threads):
    """It sees those of its caller, and the next call in its thread sees none of its own."""
    threads, var = make_threads(1), contextvars.ContextVar("var", default="unset")
    var.set("caller's")

    def leave():
        seen = var.get()
        var.set("left")
        return seen

    assert ["caller's"] * 2 == [await threads.run("a", leave) for _ in range(2)]


async def test_the_end_refuses_what_waits_and_leaves_behind_what_hangs(caplog):
    """``stop`` returns within its time; what is called later is refused at once."""
    threads, stuck = HostThreads(1), Gate()
    before = running()
    hanging = asyncio.create_task(threads.run("a", stuck))
    await stuck.has_begun()
    behind = asyncio.create_task(threads.run("a", lambda: None))
    waiting = asyncio.create_task(threads.run("b", lambda: None))
    await asyncio.sleep(0)
    await threads.stop(0.05)

    for refused in (behind, waiting, asyncio.create_task(threads.run("c", lambda: None))):
        with pytest.raises(Overloaded, match="stopping"):
            await refused
    assert "1 handlers of the application still run" in caplog.text
    assert all(thread.daemon for thread in running() - before)
    stuck.open.set()
    await hanging
    for thread in running() - before:
        await asyncio.to_thread(thread.join, DEADLINE_S)
    assert set() == running() - before


async def test_the_end_waits_for_what_runs(make_threads):
    """A call that ends in time gives its result."""
    threads, gate = HostThreads(1), Gate("done")
    call = asyncio.create_task(threads.run("a", gate))
    await gate.has_begun()
    end = asyncio.create_task(threads.stop(DEADLINE_S))
    await asyncio.sleep(0)
    gate.open.set()
    await end

    assert "done" == await call


async def test_a_call_that_gets_no_thread_is_refused_and_leaves_nothing(caplog, monkeypatch):
    """The next one that gets a thread runs, and the end waits for nobody."""
    threads = HostThreads(2)

    def fail(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(Overloaded, match="no thread"):
            await threads.run("a", int)

    assert 0 == await threads.run("a", int)
    await threads.stop(0)
    assert [] == caplog.records
