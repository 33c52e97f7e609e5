"""The queue between threads and the loop: order, bounds, refusals, and the end."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tocsin.application.once import Once
from tocsin.application.ports import Draft
from tocsin.bridge import Bridge, Receipt, attach, crossing, detach, find
from tocsin.domain.errors import Invalid, Overloaded, StorageFull
from tocsin.domain.stream import EventDraft, StreamEvent, StreamKey
from tocsin.domain.user_id import UserId

BOB = UserId("bob")


class RecordingCore:
    """A store and a bus that note what reaches them, and refuse what they are told to refuse."""

    def __init__(self) -> None:
        self.store = self.bus = self
        self.epoch = "e"
        self.log: list[Any] = []
        self.batches: list[int] = []
        self.refusals: list[Exception] = []
        self.keys: list[Once] = []
        self.poison: bytes | None = None
        self.may_write = asyncio.Event()
        self.may_write.set()

    async def write_many(self, drafts: Sequence[Draft], once: Once) -> list[list[StreamEvent]]:
        await self.may_write.wait()
        self.keys.append(once)
        if self.refusals:
            raise self.refusals.pop(0)
        if any(draft.payload == self.poison for draft in drafts):
            raise Invalid("poison")
        self.batches.append(len(drafts))
        self.log += [draft.payload for draft in drafts]
        return [
            [StreamEvent(user, "/sns", 1, "i", "e", draft.payload, 0) for user in draft.user_ids] for draft in drafts
        ]

    def publish_ephemeral(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        self.log.append((user_id, namespace, event, payload))

    def wake(self, keys: Sequence[StreamKey]) -> None:
        self.log.append(keys)


def draft(number: int, user_id: UserId = BOB, size: int = 0) -> EventDraft:
    return EventDraft("/sns", "post_liked", (user_id,), b'{"n":%d%s}' % (number, b" " * size))


@pytest.fixture
def core() -> RecordingCore:
    return RecordingCore()


@pytest.fixture
async def bridge(core) -> Bridge:
    return Bridge(asyncio.get_running_loop(), core)


async def test_one_wake_up_carries_what_gathers(bridge, core, monkeypatch):
    """A batch costs one wake-up of the loop and one transaction, in the order of the calls."""
    woken = []
    loop = asyncio.get_running_loop()
    bridge._loop = SimpleNamespace(
        call_soon_threadsafe=lambda call: (woken.append(call), loop.call_soon(call)),
        create_task=loop.create_task,
        create_future=loop.create_future,
    )
    receipts = [bridge.hand_over(draft(number)) for number in range(300)]
    await bridge.flush()

    assert 1 == len(woken)
    assert [300] == core.batches
    assert [draft(number).payload for number in range(300)] == core.log
    assert all(receipt.is_done for receipt in receipts)


async def test_each_attempt_of_a_batch_has_its_key(bridge, core):
    """A store that refused may have committed all the same: it knows the next attempt, and no other batch, by it."""
    core.refusals = [Overloaded("no answer")]
    bridge.hand_over(draft(1))
    await bridge.flush()
    bridge.hand_over(draft(2))
    await bridge.flush()

    lost, again, other = core.keys
    assert lost == again != other
    assert {(lost.owner, lost.key)} == {(one.owner, one.key) for one in core.keys}


async def test_a_batch_is_bounded(bridge, core):
    """No transaction takes more than 500 events, or much more than a megabyte."""
    for number in range(1_200):
        bridge.hand_over(draft(number))
    for number in range(3):
        bridge.hand_over(draft(number, size=700_000))
    await bridge.flush()

    assert [500, 500, 202, 1] == core.batches


async def test_the_queue_is_bounded_by_count(bridge, core, monkeypatch):
    """What is too much is refused at the caller, and what was accepted is carried out."""
    monkeypatch.setattr(crossing, "MAX_WAITING", 10)
    for number in range(10):
        bridge.hand_over(draft(number))
    with pytest.raises(Overloaded):
        bridge.hand_over(draft(11))
    await bridge.flush()

    assert 10 == len(core.log)
    bridge.hand_over(draft(12))


async def test_the_queue_is_bounded_by_bytes(bridge, core):
    """Big payloads fill it sooner: a call holds a place for each KiB."""
    with pytest.raises(Overloaded):  # noqa: PT012 it takes many
        for number in range(200):
            bridge.hand_over(draft(number, size=2**20))

    assert 95 < sum(entry is not None for entry in bridge._waiting) < 100
    await bridge.flush()
    assert not bridge._waiting


async def test_a_call_that_could_wake_nobody_leaves_its_places(bridge, monkeypatch):
    """What is refused because the loop can't be woken takes no room from later calls."""

    def fail(_call):
        raise OSError("not now")

    monkeypatch.setattr(bridge, "_loop", SimpleNamespace(call_soon_threadsafe=fail))
    with pytest.raises(OSError, match="not now"):
        bridge.hand_over(draft(1, size=2**20))

    assert not bridge._waiting


async def test_live_events_without_end_leave_the_loop_to_others(bridge, core):
    """A batch of them ends the loop's turn, though more wait and none is committed."""
    turns = 0

    def look_round():
        nonlocal turns
        turns += 1
        if bridge._waiting:
            asyncio.get_running_loop().call_soon(look_round)

    for number in range(crossing.MAX_TOGETHER * 10):
        bridge.emit(BOB, "/", "ping", {"n": number})
    look_round()
    await bridge.flush()

    assert turns >= 10
    assert [*range(crossing.MAX_TOGETHER * 10)] == [one[3]["n"] for one in core.log]


async def test_emits_keep_their_place(bridge, core):
    """A user hears what is handed over and what is emitted in the order of the calls; others cost no transaction."""
    alice = UserId("alice")
    bridge.hand_over(draft(1))
    bridge.emit(BOB, "/", "ping", {"n": 2})
    bridge.hand_over(draft(3, alice))
    bridge.hand_over(draft(4))
    bridge.emit(None, "/", "ping", {"n": 5})
    bridge.hand_over(draft(6, alice))
    await bridge.flush()

    ping = ("/", "ping")
    assert [1, 3] == [int(one[5:6]) for one in core.log[:2]]
    assert [(BOB, *ping, {"n": 2}), draft(4).payload, (None, *ping, {"n": 5}), draft(6).payload] == core.log[2:]
    assert [2, 1, 1] == core.batches


async def test_an_emitted_payload_is_copied(bridge, core):
    """A dictionary that changes after the call changes nothing; what is no JSON is refused at once."""
    payload = {"n": 1}
    bridge.emit(BOB, "/", "ping", payload)
    payload["n"] = 2
    await bridge.flush()

    assert [(BOB, "/", "ping", {"n": 1})] == core.log
    with pytest.raises(Invalid, match="not JSON"):
        bridge.emit(BOB, "/", "ping", {"n": object()})


async def test_a_refusal_for_now_is_repeated_in_order(bridge, core):
    """A store that is overloaded or full gets the same calls again, before those that came later."""
    core.refusals = [Overloaded("busy"), StorageFull("full")]
    receipts = [bridge.hand_over(draft(number)) for number in range(600)]
    await bridge.flush()

    assert [draft(number).payload for number in range(600)] == core.log
    assert [0] == [event["data"]["n"] for event in receipts[0].wait()]


async def test_patience_ends(bridge, core, caplog):
    """After half a minute each caller is told, and the log says how many."""
    core.refusals = [StorageFull("the disk is full")]
    receipt = bridge.hand_over(draft(1))
    receipt.handed_over_at -= crossing.PATIENCE_S + 1
    await bridge.flush()

    with pytest.raises(StorageFull):
        receipt.wait()
    assert "1 calls were given up: the disk is full" in caplog.text


async def test_one_bad_call_takes_no_other_with_it(bridge, core, caplog):
    """What can't be written fails alone; what was handed over with it is committed, in order."""
    core.poison = draft(2).payload
    receipts = [bridge.hand_over(draft(number)) for number in range(5)]
    await bridge.flush()

    assert [draft(number).payload for number in (0, 1, 3, 4)] == core.log
    with pytest.raises(Invalid, match="poison"):
        receipts[2].wait()


async def test_a_receipt_waits_in_its_own_thread(bridge, core):
    """`wait` returns the committed events, and says so when the time is over first."""
    core.may_write.clear()
    receipt = bridge.hand_over(draft(7))
    with pytest.raises(TimeoutError, match="still on its way"):
        await asyncio.to_thread(receipt.wait, 0.01)
    waiting = [asyncio.create_task(asyncio.to_thread(receipt.wait)) for _ in range(3)]
    core.may_write.set()

    for events in await asyncio.gather(*waiting):
        assert [("bob", "/sns", 7)] == [(one["user_id"], one["namespace"], one["data"]["n"]) for one in events]


async def test_nothing_to_do_is_done():
    """The receipt of a call that wrote nothing never blocks."""
    receipt = Receipt.nothing()

    assert receipt.is_done
    assert [] == receipt.wait()


async def test_the_loop_s_own_thread_never_waits_for_itself(bridge):
    """There `hand_over` is fine, and what would block is refused with what to do instead."""
    receipt = bridge.hand_over(draft(1))
    with pytest.raises(RuntimeError, match=r"in an async function await service\.create_notification"):
        receipt.wait()
    with pytest.raises(RuntimeError, match=r"in an async function await service\.create_notification"):
        bridge.ask(lambda core: core.write_many([]))
    await bridge.flush()

    assert receipt.wait()


async def test_what_is_asked_comes_after_what_was_handed_over(bridge, core):
    """`ask` runs a use-case on the loop, behind the calls of its thread, and returns or raises what it does."""

    async def look(given: RecordingCore) -> int:
        await asyncio.sleep(0)
        return len(given.log)

    def work() -> int:
        for number in range(700):
            bridge.hand_over(draft(number))
        return bridge.ask(look)

    async def fail(_: RecordingCore) -> None:
        raise Invalid("no")

    assert 700 == await asyncio.to_thread(work)
    with pytest.raises(Invalid, match="no"):
        await asyncio.to_thread(bridge.ask, fail)


async def test_a_question_that_has_no_turn_in_time_is_never_asked(bridge, core):
    """Then nothing was done, and the caller may try again."""
    core.may_write.clear()
    bridge.hand_over(draft(1))
    asked = []

    async def use(_: RecordingCore) -> None:
        asked.append(1)

    with pytest.raises(Overloaded, match="before this one"):
        await asyncio.to_thread(bridge.ask, use, 0.02)
    core.may_write.set()
    await bridge.flush()

    assert [] == asked


async def test_a_question_without_an_answer_is_one_of_the_refusals(bridge, core):
    """What hosts catch and Celery tries again, not a bare TimeoutError; it may still be carried out."""
    may_end = asyncio.Event()

    async def hang(_: RecordingCore) -> None:
        await may_end.wait()

    with pytest.raises(Overloaded, match="may still be carried out"):
        await asyncio.to_thread(bridge.ask, hang, 0.2)
    may_end.set()
    await bridge.close()


async def test_wake_ups_reach_the_bus(bridge, core):
    """Streams that grew in somebody's own transaction are named to the bus."""
    await asyncio.to_thread(bridge.wake, [StreamKey(BOB, "/sns")])
    await bridge.flush()

    assert [(StreamKey(BOB, "/sns"),)] == core.log


async def test_closing_carries_out_what_was_accepted(bridge, core):
    """Every receipt is settled, and who comes later is refused."""
    receipts = [bridge.hand_over(draft(number)) for number in range(700)]
    await bridge.close()

    assert all(receipt.is_done for receipt in receipts)
    assert 700 == len(core.log)
    with pytest.raises(Overloaded):
        bridge.hand_over(draft(1))


async def test_closing_among_callers_loses_none(bridge, core):
    """Whatever a thread got a receipt for before the end is committed; the rest was refused."""
    receipts: list[Receipt] = []
    is_busy = threading.Event()

    def call() -> None:
        number = 0
        while True:
            try:
                receipts.append(bridge.hand_over(draft(number)))
            except Overloaded:
                return
            number += 1
            if number == 200:
                is_busy.set()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(is_busy.wait)
    await bridge.close()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    await bridge.close()

    assert all(receipt.is_done and receipt.wait() for receipt in receipts)
    assert len(receipts) == len(core.log)


async def test_no_wake_up_is_lost(bridge, core):
    """Threads that wait for each of their calls are never left waiting."""

    def call(thread: int) -> None:
        for number in range(200):
            bridge.hand_over(draft(number, UserId(str(thread)))).wait(30)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, call, one) for one in range(8)))

    assert 1_600 == len(core.log)


def test_a_dead_loop_lets_everybody_go(caplog):
    """A loop that ended without a stop leaves nobody waiting, and takes nothing more."""

    async def make() -> tuple[Bridge, Receipt]:
        core = RecordingCore()
        core.may_write.clear()
        bridge = Bridge(asyncio.get_running_loop(), core)
        first = bridge.hand_over(draft(1))
        await asyncio.sleep(0.01)
        return bridge, first

    bridge, receipt = asyncio.run(make())
    with pytest.raises(Overloaded):
        receipt.wait()
    with pytest.raises(Overloaded):
        bridge.hand_over(draft(2))
    with pytest.raises(Overloaded):
        bridge.ask(lambda core: core.write_many([]))
    bridge.wake([])


async def test_the_last_one_attached_is_used(bridge, core):
    """Several services in one process: the one that started last; without one there is none."""
    other = Bridge(asyncio.get_running_loop(), core)
    attach(bridge)
    attach(other)
    assert find() is other
    detach(other)
    assert find() is bridge
    detach(bridge)
    detach(bridge)

    assert find() is None
