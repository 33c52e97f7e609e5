"""What the service manager is told."""

import asyncio
import os
import socket

import pytest

from tocsin.rest import systemd


@pytest.mark.parametrize("is_abstract", [False, True])
def test_the_manager_hears_the_state(monkeypatch, tmp_path, is_abstract):
    """Over a datagram socket in the file system, or an abstract one."""
    name = f"\0{tmp_path}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        systemd.notify("READY=1")
        systemd.notify_reloading()

        assert b"READY=1" == manager.recv(100)
        assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_without_a_manager_nothing_happens(monkeypatch):
    """Nor when it has gone."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    systemd.notify("READY=1")


@pytest.fixture
def manager(monkeypatch, tmp_path):
    """A manager that wants to hear of the process three times in 60 ms."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        yield manager


async def test_the_manager_hears_again_and_again_that_the_loop_turns(manager):
    """Once ready, as `WatchdogSec` asks for it."""
    systemd.ready()

    assert [b"READY=1", *[b"WATCHDOG=1"] * 4] == [await asyncio.to_thread(manager.recv, 100) for _ in range(5)]


async def test_a_process_that_is_not_watched_says_nothing_of_it(monkeypatch, manager):
    """A worker inherits what is meant for its supervisor."""
    monkeypatch.setenv("WATCHDOG_PID", "1")
    systemd.ready()
    manager.setblocking(False)

    assert b"READY=1" == manager.recv(100)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


async def test_who_takes_long_asks_for_more_time_until_it_is_done(monkeypatch, manager):
    """A migration is not killed by `TimeoutStartSec`; a loop that does not turn asks for nothing."""
    monkeypatch.setattr(systemd, "_EXTEND_EVERY_S", 0.02)
    with systemd.extending():
        heard = [await asyncio.to_thread(manager.recv, 100) for _ in range(3)]
    manager.setblocking(False)
    await asyncio.sleep(0.1)

    assert [b"EXTEND_TIMEOUT_USEC=60000000"] * 3 == heard
    with pytest.raises(BlockingIOError):
        manager.recv(100)
