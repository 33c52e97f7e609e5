"""What a store of topics' jobs must do: everybody once, whoever works, whatever happens meanwhile."""

import asyncio

import pytest

from tocsin.adapters.sql.fan_out import SqlFanOut
from tocsin.application import fan_out
from tocsin.application.fan_out import FanOut
from tocsin.application.once import Once
from tocsin.domain.errors import Invalid, KeyReused, NotFound
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.user_id import UserId

ONCE = Once("shop publish", "key-1", b"fingerprint")
USERS = [UserId(f"u-{number:02}") for number in range(20)]


def draft(**fields):
    return NotificationDraft(**{"user_id": UserId(""), "type": "news", "title": "Sale", "message": "", **fields})


@pytest.fixture
async def opened(open_store):
    opened = await open_store()
    for user in USERS:
        await opened.store.subscribe_topic(user, "sale")
    opened.take()
    return opened


@pytest.fixture
def jobs(opened):
    return SqlFanOut(opened.store)


def told(*stores):
    return sorted(event.user_id for opened in stores for event in opened.take())


async def run(jobs, job, part=3):
    while (job := await jobs.step(job.id, part)).state != "done":
        pass
    return job


async def test_two_processes_notify_everybody_once(open_store, opened, jobs):
    """Both work on the same job at once."""
    other = await open_store()
    job = await jobs.begin("sale", draft())
    ends = await asyncio.gather(run(jobs, job), run(SqlFanOut(other.store), job))

    assert USERS == told(opened, other)
    assert [(20, 20)] * 2 == [(end.total, end.done) for end in ends]
    assert await jobs.next_running("") is None


async def test_who_comes_and_goes_meanwhile(opened, jobs):
    """Who follows it when the run comes by gets it; who is behind it, or has left, does not."""
    job = await jobs.begin("sale", draft())
    await jobs.step(job.id, 10)
    for user in ("a", "z"):
        await opened.store.subscribe_topic(UserId(user), "sale")
    for user in (USERS[0], USERS[-1]):
        await opened.store.unsubscribe_topic(user, "sale")
    end = await run(jobs, job)

    assert sorted([*USERS[:-1], "z"]) == told(opened)
    assert (20, 20) == (end.total, end.done)


async def test_what_expires_in_the_middle_goes_to_nobody_else(opened, jobs, clock):
    """The job is done, and tells how many had it."""
    job = await jobs.begin("sale", draft(expires_at=clock() + 1_000))
    await jobs.step(job.id, 5)
    clock.forward(hours=1)
    end = await jobs.step(job.id, 5)

    assert ("done", 5, 5) == (end.state, end.total, end.done)
    assert USERS[:5] == told(opened)


async def test_what_has_expired_already_is_no_job_but_for_a_repeat(jobs, clock):
    """The same request is answered as the first time, also when its time is over."""
    lives = draft(expires_at=clock() + 1_000)
    job = await jobs.begin("sale", lives, ONCE)
    clock.forward(hours=1)

    assert job == await jobs.begin("sale", lives, ONCE)
    for refused in (jobs.begin("sale", lives), jobs.begin_list(USERS, lives)):
        with pytest.raises(Invalid, match="expires_at is over"):
            await refused


async def test_the_same_request_is_the_same_job(jobs):
    """Another under the same key is refused."""
    job = await jobs.begin("sale", draft(), ONCE)

    assert job == await jobs.begin("sale", draft(), ONCE)
    with pytest.raises(KeyReused):
        await jobs.begin("sale", draft(), Once(ONCE.owner, ONCE.key, b"other"))


async def test_a_job_is_told_of_for_a_week(opened, jobs, clock):
    """One that runs is kept however old it is."""
    running, ended = await jobs.begin("sale", draft()), await jobs.begin("sale", draft())
    await run(jobs, ended)
    clock.forward(days=6.9)
    assert 0 == (await opened.store.prune(clock.now))["fan_out"]

    clock.forward(days=0.2)
    assert 1 == (await opened.store.prune(clock.now))["fan_out"]
    assert "running" == (await jobs.get(running.id)).state
    with pytest.raises(NotFound):
        await jobs.get(ended.id)
    with pytest.raises(NotFound):
        await jobs.step(ended.id, 5)


async def test_jobs_are_worked_off_in_their_order(jobs):
    """The oldest first, and one that fails can be passed over."""
    first, second = await jobs.begin("sale", draft()), await jobs.begin("none", draft())

    assert [first.id, second.id] == [await jobs.next_running(""), await jobs.next_running(first.id)]
    assert await jobs.next_running(second.id) is None


async def test_a_list_is_worked_off_as_a_topic_is(opened):
    """Each user once, however often one is named, by two processes at once."""
    jobs = SqlFanOut(opened.store)
    users = [UserId(f"u-{number:03}") for number in range(250)]
    job = await jobs.begin_list([*users, *users[:9]], draft())
    assert (250, None) == (job.total, job.json()["topic"])
    opened.take()
    while (await asyncio.gather(*[jobs.step(job.id, 40) for _ in range(2)]))[-1].state != "done":
        pass

    assert users == sorted(event.user_id for event in opened.take())
    assert (250, 250) == ((await jobs.get(job.id)).total, (await jobs.get(job.id)).done)


async def test_a_small_job_does_not_wait_for_a_large_one(opened, jobs, monkeypatch):
    """They take turns, the older first: the two of the second are told while most of the first still wait."""
    monkeypatch.setattr(fan_out, "PART", 3)
    large = await jobs.begin("sale", draft())
    small = await jobs.begin_list([UserId("z-1"), UserId("z-2")], draft())
    work = FanOut(jobs)
    work.rounds.start()
    async with asyncio.timeout(20):
        while "done" != (await jobs.get(large.id)).state:  # noqa: ASYNC110 another task works
            await asyncio.sleep(0.01)
    await work.rounds.stop()

    assert ["u-00", "u-01", "u-02", "z-1", "z-2", "u-03"] == [event.user_id for event in opened.take()][:6]
    assert (2, 20) == ((await jobs.get(small.id)).done, (await jobs.get(large.id)).done)
