"""Erasing a user while others write, jobs run and processes die, and when the user comes back."""

import asyncio
from itertools import count

import pytest

from tests.contract.conftest import everything
from tests.contract.erasing import ALICE, create, erase, message
from tocsin.adapters.sql import erase_own, erasures
from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.adapters.sql.erasures import SqlErasures
from tocsin.adapters.sql.fan_out import SqlFanOut
from tocsin.application.erasure import Erasures
from tocsin.domain.conversation import PageQuery
from tocsin.domain.stream import StreamKey, ground_of, resync_reason
from tocsin.domain.user_id import UserId

HERS = StreamKey(ALICE, "/notifications")
PLACE = ground_of(HERS)


@pytest.fixture
def jobs(store):
    return SqlErasures(store)


async def test_what_a_process_that_died_has_left_is_gone_on_with(open_store, clock, draft, monkeypatch):
    """Another process goes on as soon as nobody holds the job, and nothing is left."""
    monkeypatch.setattr(erasures, "TURN", 3)
    first, second = await open_store(), await open_store()
    for number in range(10):
        await create(first.store, draft(ALICE, title=str(number)))
    jobs = SqlErasures(first.store)
    await jobs.request(ALICE)
    turn = erase_own.turn
    turns = count()

    def dies(*arguments):
        if next(turns) >= 2:
            raise RuntimeError("killed")
        return turn(*arguments)

    monkeypatch.setattr(erase_own, "turn", dies)
    with pytest.raises(RuntimeError):
        await jobs.work(ALICE, lambda _: None)
    monkeypatch.setattr(erase_own, "turn", turn)
    others = SqlErasures(second.store)

    assert 6 == (await others.work(ALICE, lambda _: None)).done
    clock.now += 30_000
    assert "settling" == (await others.work(ALICE, lambda _: None)).state
    assert (await everything(second.store)).count(ALICE) == 1


async def test_a_job_for_many_goes_on_without_the_user(opened, store, jobs, clock, draft):
    """The others of a long list get theirs."""
    fan_out = SqlFanOut(store)
    users = [ALICE, *(UserId(f"user-{number}") for number in range(6))]
    job = await fan_out.begin_list(users, draft(""))
    await fan_out.step(job.id, 2)
    await erase(jobs, clock)
    while (job := await fan_out.step(job.id, 2)).state != "done":
        pass

    assert set(users) == {event.user_id for event in opened.take()}
    assert ALICE not in await everything(store)


async def test_a_job_that_runs_on_meanwhile_reaches_nobody_twice(opened, jobs, clock, draft, monkeypatch):
    """What was read of it is older than what is written: where the job stands is its own."""
    store = opened.store
    fan_out = SqlFanOut(store)
    users = [ALICE, *(UserId(f"user-{number:02}") for number in range(40))]
    job = await fan_out.begin_list(users, draft(""))
    read = store.read

    async def read_while_it_goes_on(query):
        found = await read(query)
        await fan_out.step(job.id, 1)
        return found

    monkeypatch.setattr(store, "read", read_while_it_goes_on)
    await erase(jobs, clock)
    while (await fan_out.step(job.id, 1)).state != "done":
        pass

    assert sorted(users[1:]) == sorted(event.user_id for event in opened.take() if event.user_id != ALICE)


async def test_a_job_that_fails_holds_up_no_other(store, jobs, draft, monkeypatch, caplog):
    """It is logged, and Bob, who asked later, is erased."""
    await create(store, draft("bob"))
    erase_one = jobs.work

    async def work(user_id, on_cut):
        if user_id == ALICE:
            raise ValueError("a row that nobody thought of")
        return await erase_one(user_id, on_cut)

    monkeypatch.setattr(jobs, "work", work)
    erasures_of_all = Erasures(jobs, wake=lambda _: None, cut=lambda _: None)
    for user in (ALICE, UserId("bob")):
        await erasures_of_all.request(user)
    await erasures_of_all.work_off()

    assert ["erasing", "settling"] == [job.state for job in await jobs.list()]
    assert "will be tried again" in caplog.text


async def test_others_write_meanwhile(open_store, clock, draft):
    """Writers of the same and of other processes are neither refused nor lost."""
    first, second = await open_store(), await open_store()
    for number in range(40):
        await first.store.send_message(message(ALICE, f"peer-{number % 4}"))

    async def write(store, user):
        for number in range(20):
            await store.send_message(message(user, "peer-1", str(number)))

    jobs = SqlErasures(first.store)
    await asyncio.gather(erase(jobs, clock), write(first.store, "carol"), write(second.store, "dave"))

    for user in ("carol", "dave"):
        page = await SqlChat(first.store).page(UserId(user), PageQuery(peer_id=UserId("peer-1")))
        assert [str(number) for number in range(20)] == [one.message for one in page.messages]
    assert ALICE not in await everything(first.store)


async def test_who_comes_back_with_a_cursor_of_before_fetches_anew(store, jobs, clock, draft):
    """However far the new log has come, and wherever the device stood: never silence."""
    for _ in range(3):
        await create(store, draft(ALICE))
    await erase(jobs, clock)
    heads = await store.heads([HERS])
    for _ in range(10):
        await create(store, draft(ALICE))
        heads += await store.heads([HERS])

    assert ["pruned"] * 44 == [
        resync_reason(store.epoch, cursor, head, store.epoch) for head in heads for cursor in range(4)
    ]
    assert [*range(5, 15)] == [event.seq for event in (await store.read_stream(HERS, 4, 100)).events]
    assert [(4, 0), (5, 1), (6, 2)] == [(head.seq, head.unread) for head in heads[:3]]


@pytest.mark.parametrize("as_one", [True, False], ids=["together", "one by one"])
async def test_the_stream_of_another_begins_without_a_gap(store, jobs, clock, draft, as_one):
    """Also of one whose place is that of the erased: from the head that its client was told, every event follows."""
    users = map(UserId, map(str, count()))
    same = next(user for user in users if ground_of(StreamKey(user, "/notifications")) == PLACE)
    await create(store, draft(ALICE))
    await erase(jobs, clock)
    others = [StreamKey(user, "/notifications") for user in (same, UserId("bob"))]
    before = await store.heads(others)
    drafts = [draft(user) for user in (same, "bob", same)]
    for wanted in [drafts] if as_one else [[one] for one in drafts]:
        await store.create_notifications(wanted)

    assert [2, 0] == [head.seq for head in before]
    assert [[3, 4], [1]] == [
        [event.seq for event in (await store.read_stream(key, head.seq, 100)).events]
        for key, head in zip(others, before, strict=True)
    ]
    assert [(2, 0), (0, 0)] == [(head.pruned, head.acked) for head in await store.heads(others)]


async def test_who_is_erased_is_cut_while_another_is_being_erased(jobs, monkeypatch):
    """Alice's job takes its time; Bob's sockets do not stay open for that, and are cut once for it."""
    begun, cut = asyncio.Event(), []

    async def work(_user_id, _on_cut):
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(jobs, "work", work)
    erasures_of_all = Erasures(jobs, wake=lambda _: None, cut=cut.append)
    await erasures_of_all.request(ALICE)
    erasures_of_all.rounds.start()
    async with asyncio.timeout(20):
        await begun.wait()
    for _ in range(2):
        await erasures_of_all.request(UserId("bob"))
    await erasures_of_all.rounds.stop()

    assert [ALICE, "bob"] == cut
