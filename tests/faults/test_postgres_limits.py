"""PostgreSQL at its limits: a commit whose answer is lost, a full disk, a thousand clients that come back at once."""

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tocsin.adapters.sql.postgres import PostgresStore
from tocsin.application.once import Once
from tocsin.bridge import Bridge
from tocsin.domain.errors import Overloaded, StorageFull
from tocsin.domain.notification import InboxFilter, NotificationDraft
from tocsin.domain.stream import StreamKey

ALICE = StreamKey("alice", "/notifications")


def draft(user_id="alice"):
    return NotificationDraft(user_id=user_id, type="t", title="Hi", message="")


@asynccontextmanager
async def opened(url):
    store = PostgresStore(url)
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


class Cutting:
    """
    A way to the server that is cut at a COMMIT: before it has passed, or before its answer comes back.

    Attributes:
        cuts: When to cut: ``before``, ``after``, or None: never. Once done it is None again.
    """

    def __init__(self, url):
        self._there = make_url(url)
        self.cuts = None
        self._serving = set()

    @asynccontextmanager
    async def open(self):
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            yield self._there.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        await asyncio.gather(*self._serving)

    async def _serve(self, reader, writer):
        self._serving.add(asyncio.current_task())
        back, there = await asyncio.open_connection(self._there.host, self._there.port)
        ways = [self._pass(reader, there, "before"), self._pass(back, writer, "after")]
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        there.transport.abort()
        writer.transport.abort()

    async def _pass(self, reader, writer, cuts):
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self.cuts == cuts and b"COMMIT" in data:
                    self.cuts = None
                    return
                writer.write(data)


@pytest.mark.parametrize("cuts", ["before", "after"])
async def test_a_commit_whose_answer_is_lost_is_no_success_and_happens_once(postgres_url, cuts):
    """Its callers are told to come again, whether it was done or not; with their keys each is done once."""
    way = Cutting(postgres_url)
    keys = [Once("shop", f"key {n}", b"f") for n in range(20)]
    async with way.open() as url, opened(url) as store:
        way.cuts = cuts
        told = await asyncio.gather(
            *[store.create_notifications([draft()], key) for key in keys], return_exceptions=True
        )
        lost = [key for key, one in zip(keys, told, strict=True) if isinstance(one, Overloaded)]
        assert lost
        assert way.cuts is None

        again = {}
        async with asyncio.timeout(20):
            while len(again) < len(keys):  # it connects again, a moment later
                for key in keys:
                    with suppress(Overloaded):
                        again[key] = (await store.create_notifications([draft()], key))[0].id
                await asyncio.sleep(0.05)
        first = {key: one[0].id for key, one in zip(keys, told, strict=True) if not isinstance(one, Exception)}
        assert first.items() <= again.items()
        log = await store.read_stream(ALICE, 0, 100)
        assert [*range(1, len(keys) + 1)] == [event.seq for event in log.events]
        assert len(keys) == (await store.notification_stats("alice")).total


@pytest.mark.parametrize("cuts", ["before", "after"])
async def test_a_call_of_a_thread_whose_commit_has_no_answer_happens_once(postgres_url, cuts):
    """It is repeated by itself; whoever waits for it hears of the event that was committed."""
    way = Cutting(postgres_url)
    async with way.open() as url, opened(url) as store:
        bridge = Bridge(asyncio.get_running_loop(), SimpleNamespace(store=store))
        way.cuts = cuts
        receipts = [bridge.hand_over(draft()) for _ in range(20)]
        await bridge.flush()
        assert way.cuts is None
        log = await store.read_stream(ALICE, 0, 100)
        assert [*range(1, 21)] == [event.seq for event in log.events]
        events = await asyncio.to_thread(lambda: [event for one in receipts for event in one.wait()])
        assert [event.event_id for event in log.events] == [event["data"]["event_id"] for event in events]


async def test_a_full_disk_is_told_to_those_who_write(postgres_url):
    """They hear that the storage is full, nothing of theirs is half done, reads go on; room heals it."""
    full = """
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END$$;
        CREATE TRIGGER full_disk BEFORE INSERT ON tocsin_stream_event EXECUTE FUNCTION full_disk()
    """
    async with opened(postgres_url) as store:
        await store.create_notifications([draft()])
        with psycopg.connect(postgres_url, autocommit=True) as server:
            server.execute(full)
            try:
                refused = await asyncio.gather(
                    *[store.create_notifications([draft(f"user {n % 3}")]) for n in range(9)],
                    store.ping(),
                    return_exceptions=True,
                )
                page = await store.list_notifications("alice", InboxFilter(), before=None, limit=10)
            finally:
                server.execute("DROP FUNCTION full_disk CASCADE")
        assert [*[StorageFull] * 9, type(None)] == [type(one) for one in refused]
        assert (1, 1) == (len(page.notifications), page.unread_count)
        (healed,) = await store.create_notifications([draft("user 0")])
        assert (1, 2) == (healed.seq, (await store.create_notifications([draft()]))[0].seq)


async def test_a_thousand_who_come_back_at_once_share_the_readers(postgres_url):
    """Nobody is refused, a node has no more than its five connections, and writes go on meanwhile."""
    users = [f"user {n}" for n in range(1_000)]
    async with opened(postgres_url) as store:
        await store.create_notifications([draft(user) for user in users])
        keys = [StreamKey(user, "/notifications") for user in users]
        resuming = asyncio.gather(
            *[store.heads([key]) for key in keys], *[store.read_stream(key, 0, 1_000) for key in keys]
        )
        writing = asyncio.gather(*[store.create_notifications([draft()]) for _ in range(100)])
        with psycopg.connect(postgres_url, autocommit=True) as server:
            ours = "application_name = 'tocsin' AND datname = current_database()"
            most = 0
            while not (resuming.done() and writing.done()):
                most = max(most, server.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {ours}").fetchone()[0])
                await asyncio.sleep(0.01)
        found = await resuming
        await writing
        assert [100] == [one.seq for one in await store.heads([ALICE])]
    assert {1} == {head.seq for (head,) in found[:1_000]} == {log.head.seq for log in found[1_000:]}
    assert {1} == {len(log.events) for log in found[1_000:]}
    assert 1 < most <= 5
