"""The supervisor where the system gives it no process, and where a worker says nothing."""

import asyncio
import shutil
import signal
import socket
import subprocess

import pytest

from tocsin.cli.workers import supervisor
from tocsin.cli.workers import worker as workers
from tocsin.cli.workers.supervisor import _Supervisor
from tocsin.cli.workers.worker import Worker


@pytest.fixture
def listeners():
    with socket.socket() as listener:
        yield [listener]


async def test_a_place_is_tried_again_until_a_process_can_be_started(monkeypatch, tmp_path, listeners):
    """A limit on processes or open files passes; the place must not stay empty after it."""
    attempts = []

    async def start(*_):
        attempts.append(1)
        if len(attempts) < 3:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        supervising._stop()
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Worker, "start", start)
    monkeypatch.setattr(supervisor, "_back_off", lambda _: 0.0)
    supervising = _Supervisor(listeners, tmp_path)

    await supervising._fill(0)

    assert 3 == len(attempts)


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="needs systemd")
def test_what_cleans_temporary_folders_leaves_the_sockets(monkeypatch, tmp_path):
    """However old they are, and although it does not know their path, as in the private /tmp of a unit."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rules = tmp_path.with_suffix(".conf")
    rules.write_text(f"d {tmp_path} - - - 0\n")
    (tmp_path / "old").touch()
    with supervisor._meeting_place() as folder, socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(folder)
        listener.bind("1.sock")
        subprocess.run(["systemd-tmpfiles", "--clean", rules], check=True, timeout=60)

        assert not (tmp_path / "old").exists()
        assert (folder / "1.sock").exists()
    assert not folder.exists()


@pytest.fixture
async def worker(monkeypatch):
    """A process that does nothing, and the other end of its line."""
    monkeypatch.setattr(workers, "BEAT_S", 0.02)
    process = await asyncio.create_subprocess_exec("sleep", "100")
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    worker = Worker(process, 1, 0, ours)
    with theirs:
        yield worker, theirs
    await worker.kill()
    process._transport.close()


async def test_a_worker_that_is_only_busy_is_left_alone(worker):
    """It speaks late, and not once for each time that it had to."""
    busy, line = worker
    watching = asyncio.create_task(busy.end_if_it_hangs())
    for _ in range(5):
        await asyncio.sleep(6 * workers.BEAT_S)
        line.send(b"beat\n")

    assert busy._process.returncode is None
    watching.cancel()


async def test_a_worker_that_says_nothing_is_ended(worker):
    """By the signal at which it tells where it is."""
    silent, _ = worker
    watching = asyncio.create_task(silent.end_if_it_hangs())

    assert -signal.SIGABRT == await asyncio.wait_for(silent.ended(), 20)
    watching.cancel()


async def test_a_worker_that_leaves_is_not_watched(worker):
    """Its end has a time of its own."""
    leaving, _ = worker
    leaving.is_leaving = True
    watching = asyncio.create_task(leaving.end_if_it_hangs())
    await asyncio.sleep(30 * workers.BEAT_S)

    assert leaving._process.returncode is None
    watching.cancel()


async def test_a_worker_that_migrates_is_waited_for(monkeypatch, worker):
    """It says that its loop turns, for longer than a start may take in silence."""
    monkeypatch.setattr(workers, "READY_S", 1.0)
    migrating, line = worker
    ready = asyncio.create_task(migrating.is_ready())
    for _ in range(5):
        await asyncio.sleep(0.4)
        line.send(b"beat\n")
    assert not ready.done()
    line.send(b"ready\n")

    assert await ready


async def test_a_worker_that_is_silent_at_its_start_is_killed(monkeypatch, worker):
    """Also after it has spoken."""
    monkeypatch.setattr(workers, "READY_S", 0.2)
    silent, line = worker
    line.send(b"beat\n")

    assert not await silent.is_ready()
    assert -signal.SIGKILL == silent._process.returncode


async def test_systemd_waits_until_all_workers_are_replaced(monkeypatch, tmp_path, listeners):
    """Many take longer than a reload may by `TimeoutStartSec`."""

    async def roll():
        await asyncio.sleep(0.2)

    supervising = _Supervisor(listeners, tmp_path)
    monkeypatch.setattr(supervising, "_roll", roll)
    monkeypatch.setattr("tocsin.rest.systemd._EXTEND_EVERY_S", 0.02)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        supervising._has_to_roll.set()
        rolling = asyncio.create_task(supervising._roll_when_asked())
        said = []
        while b"READY=1" not in said:
            said.append(await asyncio.to_thread(manager.recv, 100))
        rolling.cancel()

    assert b"EXTEND_TIMEOUT_USEC=60000000" in said
