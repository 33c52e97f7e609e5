"""The supervisor where the system gives it no process."""

import socket

import pytest

from tocsin.cli.workers import supervisor
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
