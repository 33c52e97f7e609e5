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
