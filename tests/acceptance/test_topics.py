"""Notifications to a topic over real HTTP and sockets: progress, once each, and what a user may not do."""

import asyncio
from uuid import uuid4

import pytest

from tests.acceptance.wire_socket import connected, eventually
from tocsin.domain.errors import Invalid
from tocsin.domain.user_id import UserId
from tocsin.services.topics import get_job, notify_topic

BODY = {"type": "news", "title": "Sale", "message": "It begins now"}


@pytest.fixture
def topic():
    return f"topic-{uuid4()}"


@pytest.fixture
def follow(shared_server, topic):
    def follow(*users):
        for user in users:
            shared_server.call(shared_server.service.devices.subscribe(UserId(user), topic))

    return follow


def publish(server, topic, scope="publish", **headers):
    headers = server.bearer("shop", scope) | headers
    return server.http.post("/api/notifications", headers=headers, json={"topic": topic, **BODY})


async def done(server, job):
    headers = server.bearer("shop", "publish")

    def look():
        found = server.http.get(f"/api/jobs/{job['id']}", headers=headers).json()["job"]
        return found if found["state"] == "done" else None

    return await eventually(look)


def inbox(server, user):
    answer = server.http.get("/api/notifications", headers=server.bearer(user)).json()
    return [one["title"] for one in answer["notifications"]]


async def test_each_follower_gets_one_and_nobody_else(shared_server, topic, follow):
    """More than one part; in the inbox and on the socket; the job tells how many."""
    users = [f"{topic}-{number:04}" for number in range(1_201)]
    follow(*users)
    async with connected(shared_server.url, "/notifications", shared_server.mint(users[-1])) as socket:
        answer = publish(shared_server, topic)
        job = answer.json()["job"]
        payload = await socket.payload("/notifications", "notification")
        found = await done(shared_server, job)

    assert (202, "running", 1_201) == (answer.status_code, job["state"], job["total"])
    assert (1_201, 1_201) == (found["total"], found["done"])
    assert "Sale" == payload["title"]
    assert [["Sale"]] * 3 == [inbox(shared_server, users[place]) for place in (0, 500, 1_200)]
    assert [] == inbox(shared_server, f"{topic}-nobody")


async def test_a_back_end_publishes_in_python(shared_server, topic, follow):
    """From a thread and from a coroutine; what breaks a rule is refused before anything is stored."""
    follow(f"{topic}-a")
    first = await asyncio.to_thread(notify_topic, topic, "news", "One", "", {"n": 1}, priority="high", ttl_s=60)
    second = shared_server.call(shared_server.service.notify_topic(topic, "news", "Two", ""))
    for job in (first, second):
        assert "running" == job["state"]
        await done(shared_server, job)

    assert ["Two", "One"] == inbox(shared_server, f"{topic}-a")
    assert 1 == (await asyncio.to_thread(get_job, first["id"]))["done"]
    for call in (lambda: notify_topic("no topic", "news", "T", ""), lambda: notify_topic(topic, "news", "", "")):
        with pytest.raises(Invalid):
            await asyncio.to_thread(call)


async def test_a_repeat_is_the_same_job(shared_server, topic, follow):
    """Under one Idempotency-Key nobody gets a second one."""
    follow(f"{topic}-a")
    key = {"Idempotency-Key": topic}
    first = publish(shared_server, topic, **key).json()["job"]
    await done(shared_server, first)

    assert first == publish(shared_server, topic, **key).json()["job"]
    assert ["Sale"] == inbox(shared_server, f"{topic}-a")


async def test_a_topic_that_nobody_follows_is_done(shared_server, topic):
    """It is no error: the last follower may just have left."""
    found = await done(shared_server, publish(shared_server, topic).json()["job"])

    assert (0, 0) == (found["total"], found["done"])


def test_users_may_not(shared_server, topic):
    """Neither publish to a topic, nor look at jobs; and one is for one of the three."""
    both = {"topic": topic, "user_id": 7, **BODY}
    headers = shared_server.bearer("shop", "publish")

    assert 403 == publish(shared_server, topic, scope="").status_code
    assert 403 == shared_server.http.get("/api/jobs/x", headers=shared_server.bearer(7)).status_code
    assert 404 == shared_server.http.get("/api/jobs/x", headers=headers).status_code
    assert 422 == shared_server.http.post("/api/notifications", headers=headers, json=both).status_code
    assert 422 == publish(shared_server, "no spaces").status_code


async def test_a_job_that_fails_holds_no_other_back(shared_server, topic, follow, caplog):
    """As one whose row was spoilt: it is logged, and the next one is worked off."""
    follow(f"{topic}-a")
    spoil = "INSERT INTO tocsin_fan_out VALUES ('0', ?, x'00', 'running', 1, 0, '', 0, NULL, NULL)"
    store = shared_server.service.store
    shared_server.call(store.write(lambda transaction: transaction.execute(spoil, (topic,))))
    found = await done(shared_server, publish(shared_server, topic).json()["job"])
    remove = "DELETE FROM tocsin_fan_out WHERE id = '0'"
    shared_server.call(store.write(lambda transaction: transaction.execute(remove, ())))

    assert 1 == found["done"]
    assert "failed and will be tried again" in caplog.text
