"""What only the SQLite store must withstand: a full disk, a crash, another process."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tocsin.adapters.sql import connection, open_store, readers, sqlite_path
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.domain.errors import Overloaded, StorageFull
from tocsin.domain.notification import InboxFilter, NotificationDraft
from tocsin.domain.stream import StreamKey

KEY = StreamKey("alice", "/notifications")


def draft(message="It arrives tomorrow.", user_id="alice"):
    return NotificationDraft(user_id=user_id, type="order", title="On its way", message=message)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "tocsin.db")


@pytest.fixture
async def store(path):
    store = SqliteStore(path)
    await store.start()
    yield store
    await store.stop()


async def titles(store):
    return (await store.list_notifications("alice", InboxFilter(), before=None, limit=200)).unread_count


async def test_a_full_disk_refuses_writes_and_nothing_else(store, path):
    """Writes raise StorageFull and leave nothing, reads answer, the file is sound, and room heals it."""
    await store.create_notifications([draft()])
    pages = store._writing._connection.execute("PRAGMA page_count").fetchone()[0]
    store._writing._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    told = []
    store.on_commit = told.extend

    answers = await asyncio.gather(
        *[store.create_notifications([draft("x" * 4_000)]) for _ in range(30)], return_exceptions=True
    )

    stored = [one for one in answers if isinstance(one, list)]
    assert {StorageFull} == {type(one) for one in answers if not isinstance(one, list)}
    assert 1 + len(stored) == await titles(store)
    assert len(stored) == len(told)
    with closing(sqlite3.connect(path)) as other:
        assert "ok" == other.execute("PRAGMA integrity_check").fetchone()[0]

    store._writing._connection.execute("PRAGMA max_page_count = 1000000")
    await store.ping()
    await store.create_notifications([draft("x" * 4_000)])
    seqs = [event.seq for event in (await store.read_stream(KEY, 0, 100)).events]
    assert list(range(1, len(stored) + 3)) == seqs


CHILD = """
import asyncio, resource, sys
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.domain.notification import NotificationDraft

async def main():
    store = SqliteStore(sys.argv[1])
    await store.start()
    if len(sys.argv) > 3:  # no file may grow further than this
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
    store.on_commit = lambda events: [print("emitted", event.seq, flush=True) for event in events]
    async def write(n):
        (made,) = await store.create_notifications(
            [NotificationDraft(user_id="alice", type="order", title=f"{n}", message="")])
        print("acked", made.seq, flush=True)
    for n in range(int(sys.argv[2])):
        await write(n)
    await store.stop()

asyncio.run(main())
"""


def start_child(path, *numbers, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, path, *map(str, numbers)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_write_ahead_log_that_fills_the_disk_makes_room(path):
    """Long before its checkpoint is due the log is moved into the database, and no write is refused."""
    child = start_child(path, 100, 1_000_000)
    output, errors = await asyncio.to_thread(child.communicate, timeout=60)

    assert (0, "") == (child.returncode, errors)
    assert 100 == output.count("acked")


async def test_two_processes_write_one_file(store, path):
    """Both processes' writes stand in one log without a gap, and each learns of the other's."""
    child = start_child(path, 100)
    mine = await asyncio.gather(*[store.create_notifications([draft()]) for _ in range(100)])
    output, errors = await asyncio.to_thread(child.communicate, timeout=60)
    await store.create_notifications([draft()])

    assert (0, "") == (child.returncode, errors)
    theirs = [int(line.split()[1]) for line in output.splitlines() if line.startswith("acked")]
    ours = [made[0].seq for made in mine]
    assert sorted(ours + theirs) == list(range(1, 201))
    assert list(range(1, 202)) == [event.seq for event in (await store.read_stream(KEY, 0, 1_000)).events]
    assert await store.changed_elsewhere()


@pytest.mark.parametrize(
    ("failpoint", "emitted", "acked"),
    [("after_commit_before_emit:3", 2, 2), ("after_emit_before_ack:3", 3, 2)],
)
async def test_a_kill_after_the_commit_loses_nothing(path, failpoint, emitted, acked):
    """What was committed but not emitted, or emitted but not acked, is in the log after the restart."""
    child = start_child(path, 10, TOCSIN_FAILPOINT=failpoint)
    output, _ = await asyncio.to_thread(child.communicate, timeout=60)

    assert -signal.SIGKILL == child.returncode
    assert (emitted, acked) == (output.count("emitted"), output.count("acked"))
    store = SqliteStore(path)
    await store.start()
    assert [1, 2, 3] == [event.seq for event in (await store.read_stream(KEY, 0, 10)).events]
    assert 3 == await titles(store)
    await store.stop()


async def test_a_kill_under_load_loses_nothing_acked(path):
    """Rows and events of every ack are there after a SIGKILL at any moment, and the file is sound."""
    child = start_child(path, 100_000)
    lines = [await asyncio.to_thread(child.stdout.readline) for _ in range(300)]
    child.kill()
    # By the same reader: communicate() would pass over what readline() has read ahead.
    rest = await asyncio.to_thread(child.stdout.read)
    await asyncio.to_thread(child.communicate, timeout=60)
    acked = max(int(line.split()[1]) for line in [*lines, *rest.splitlines()] if line.startswith("acked"))

    store = SqliteStore(path)
    await store.start()
    (head,) = await store.heads([KEY])
    assert head.seq in (acked, acked + 1)
    assert head.seq == await titles(store)
    assert [head.seq] == [event.seq for event in (await store.read_stream(KEY, head.seq - 1, 10)).events]
    assert "ok" == store._writing._connection.execute("PRAGMA integrity_check").fetchone()[0]
    await store.stop()


async def test_heads_asked_together_are_one_trip(store, monkeypatch):
    """Thousands of clients that come back at once don't make thousands of queries."""
    trips = []
    run = store._readers.run
    monkeypatch.setattr(store._readers, "run", lambda query: (trips.append(1), run(query))[1])

    await asyncio.gather(*[store.heads([KEY]) for _ in range(3_000)])

    assert 1 == len(trips)


async def test_a_failing_trip_is_told_to_its_askers_alone(store, monkeypatch):
    """An error reaches those who waited for it; the next trip starts anew."""
    run = store._readers.run

    async def fail(_query):
        raise Overloaded("no")

    monkeypatch.setattr(store._readers, "run", fail)
    refused = await asyncio.gather(*[store.heads([KEY]) for _ in range(3)], return_exceptions=True)
    monkeypatch.setattr(store._readers, "run", run)

    assert [Overloaded] * 3 == [type(one) for one in refused]
    assert [0] == [head.seq for head in await store.heads([KEY])]


async def test_too_many_reads_are_refused(store, monkeypatch):
    """Readers take so many questions at once; the rest are told to come back, and then answered."""
    monkeypatch.setattr(readers, "MAX_WAITING", 3)

    answers = await asyncio.gather(*[store.notification_stats("alice") for _ in range(5)], return_exceptions=True)

    assert [Overloaded] * 2 == [type(one) for one in answers if isinstance(one, Exception)]
    assert 0 == (await store.notification_stats("alice")).total


async def test_readers_cannot_write(store):
    """A reading connection refuses a write, whatever a query says."""
    with pytest.raises(Overloaded):
        await store._readers.run(lambda reader: reader.execute("DELETE FROM tocsin_notification"))


async def test_commits_are_on_disk(store):
    """The database is in WAL with a flush at every commit."""
    connection = store._writing._connection
    settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert ["wal", 2] == settings


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///tocsin.db", "tocsin.db"), ("sqlite:////var/lib/tocsin.db", "/var/lib/tocsin.db")]
)
def test_a_url_names_a_file(url, path):
    """Three slashes before a relative path, four before an absolute one."""
    assert path == sqlite_path(url)


@pytest.mark.parametrize("url", ["", "tocsin.db", "sqlite://", "sqlite:///:memory:", "mysql://host/db"])
def test_other_urls_are_refused(url):
    """What can't be opened, or would be lost, is refused with the reason."""
    with pytest.raises(ValueError, match="database"):
        open_store(url)


async def test_tables_that_a_host_made_anew_begin_a_new_life(store, path):
    """Taken back and migrated again under a running server: seqs begin at 1, and no cursor of before must fit."""
    before = store.epoch
    other = sqlite3.connect(path)
    other.execute("DELETE FROM tocsin_life")
    other.commit()
    other.close()

    assert await store.changed_elsewhere()
    assert store.epoch not in {before, ""}
    assert not await store.changed_elsewhere()


async def test_own_writes_and_reads_are_not_from_elsewhere(store):
    """A store alone at its database never reports a change."""
    await store.create_notifications([draft(), draft()])
    await store.ping()

    assert [False, False] == [await store.changed_elsewhere(), await store.changed_elsewhere()]


async def test_a_file_that_another_process_begins_is_waited_for(path):
    """Of several that start at once each one opens it, though SQLite waits for nobody who is about to write."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE host (id INTEGER)")
        other.execute("BEGIN IMMEDIATE")
        later = threading.Timer(0.3, other.execute, ["COMMIT"])
        later.start()
        store = SqliteStore(path)
        await store.start()
        later.join()
        await store.ping()
        await store.stop()


async def test_a_file_that_stays_locked_is_told_of(path, monkeypatch):
    """In the words of SQLite, after the time-out."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE host (id INTEGER)")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await SqliteStore(path).start()


@pytest.fixture(params=["removed", "replaced"])
def taken_away(request, path, tmp_path):
    """Take the file away when it is called; return what puts it back."""

    def take_away():
        aside = Path(path).rename(tmp_path / "aside.db")
        if request.param == "replaced":
            Path(path).touch()
        return lambda: aside.replace(path)

    return take_away


async def test_a_file_that_is_gone_takes_no_write(store, taken_away):
    """What is written to it would be gone with the process; once it is back, all goes on."""
    await store.create_notifications([draft()])
    put_back = taken_away()
    for _ in range(2):
        with pytest.raises(Overloaded, match="removed or replaced"):
            await store.create_notifications([draft()])
    put_back()

    (made,) = await store.create_notifications([draft()])
    assert 2 == made.seq


async def test_the_file_is_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    """Readers that open it later find the same."""
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("tocsin.db")
    await store.start()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await store.create_notifications([draft()])

    assert 1 == await titles(store)
    assert [] == [*(tmp_path / "elsewhere").iterdir()]
    await store.stop()
