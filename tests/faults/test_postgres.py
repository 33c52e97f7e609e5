"""PostgreSQL ends sessions, dies and comes back under load: what was answered is there, once, and nothing hangs."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from tests.acceptance.wire_socket import eventually
from tests.postgres import postgres
from tocsin.adapters.sql import readers, waiting
from tocsin.adapters.sql.postgres import PostgresStore
from tocsin.application.once import Once
from tocsin.domain.errors import Overloaded
from tocsin.domain.notification import NotificationDraft

pytestmark = pytest.mark.slow


@pytest.fixture
def server():
    with postgres() as server:
        yield server


class Load:
    """
    Users who create until they are told to stop, and repeat what was refused.

    Attributes:
        answered: The ids that they were told of, by key.
        refused: How often they were asked to come again.
    """

    def __init__(self, store):
        self._store = store
        self._goes_on = True
        self.answered = {}
        self.refused = 0

    async def run(self, users):
        await asyncio.gather(*[self._create(f"user {n}") for n in range(users)])

    def stop(self):
        self._goes_on = False

    async def _create(self, user):
        while self._goes_on:
            key = str(uuid4())
            draft = NotificationDraft(user_id=user, type="t", title="Hi", message="")
            while key not in self.answered:
                try:
                    (made,) = await self._store.create_notifications([draft], Once("shop", key, b""))
                except Overloaded:
                    self.refused += 1
                    await asyncio.sleep(0.02)
                else:
                    self.answered[key] = made.id

    async def more(self, than):
        await eventually(lambda: len(self.answered) > than)


async def hurt(url, harm):
    """Do harm to a store under load; return the load and what is stored in the end."""
    store = PostgresStore(url)
    await store.start()
    load = Load(store)
    running = asyncio.create_task(load.run(30))
    try:
        await load.more(100)
        await harm(load)
        await load.more(len(load.answered) + 100)
        load.stop()
        await running
        stats = [await store.notification_stats(f"user {n}") for n in range(30)]
    finally:
        running.cancel()
        await store.stop()
    return load, sum(one.total for one in stats)


def end_sessions(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tocsin'")


async def test_sessions_that_are_ended_are_opened_again(server):
    """Ten times in the middle of writes: each answer is true, each write is there once."""

    async def harm(load):
        for _ in range(10):
            await asyncio.to_thread(end_sessions, server.url)
            await load.more(len(load.answered) + 20)

    load, stored = await hurt(server.url, harm)
    assert load.refused
    assert len(load.answered) == len(set(load.answered.values())) == stored


async def test_a_server_that_died_is_found_again(server):
    """Meanwhile writes and reads are refused at once, for the callers to come again."""
    errors = []

    async def harm(load):
        server.stop()
        store = load._store
        async with asyncio.timeout(5):
            for ask in (store.ping, lambda: store.notification_stats("user 1")):
                try:
                    await ask()
                except Overloaded as error:
                    errors.append(error.code)
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)

    load, stored = await hurt(server.url, harm)
    assert ["overloaded", "overloaded"] == errors
    assert len(load.answered) == len(set(load.answered.values())) == stored


async def test_a_server_that_hangs_is_told_of_and_keeps_no_node_from_its_end(server, monkeypatch):
    """Writers and readers are refused in time; what a stop waits for is cut off; all is well when it goes on."""
    for module in (waiting, readers):
        monkeypatch.setattr(module, "ANSWER_S", 1.0)
    monkeypatch.setattr(waiting, "STOP_S", 0.5)
    ended, left = PostgresStore(server.url), PostgresStore(server.url)
    draft = NotificationDraft(user_id="user 1", type="t", title="Hi", message="")
    await ended.start()
    await left.start()
    for store in (ended, left):
        await store.create_notifications([draft])
        await store.notification_stats("user 1")
    await asyncio.to_thread(server.pause)
    try:
        asks = [ask for store in (ended, left) for ask in (store.create_notifications([draft]), store.ping())]
        reads = [store.notification_stats("user 1") for store in (ended, left)]
        answers = await asyncio.gather(*asks, *reads, return_exceptions=True)
        async with asyncio.timeout(20):
            await ended.stop()
    finally:
        server.go_on()
    await eventually(lambda: _took(left, draft))
    stats = await left.notification_stats("user 1")
    await left.stop()

    assert [("overloaded", "the database does not answer")] * 6 == [(one.code, one.detail) for one in answers]
    # Two at first, one at the end, and what may have been carried out without an answer.
    assert 3 <= stats.total <= 5


async def _took(store, draft):
    try:
        return await store.create_notifications([draft])
    except Overloaded:
        return None
