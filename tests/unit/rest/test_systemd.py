"""What the service manager is told."""

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
