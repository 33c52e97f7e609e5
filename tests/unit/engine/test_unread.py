"""What waits in the kernel when a server stops."""

import socket

import pytest

from tocsin.engine.unread import has_unread


class Transport:
    """What a loop calls a connection; None: TLS whose TCP connection has just ended."""

    def __init__(self, tcp):
        self._tcp = tcp

    def get_extra_info(self, name):
        return self._tcp if name == "socket" else None


@pytest.fixture
def pair():
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_bytes_and_the_end_wait_until_they_are_read(pair):
    """Also the client's end, which the loop has to see."""
    here, there = pair
    nothing = has_unread(Transport(here))
    there.send(b"G")
    bytes_ = has_unread(Transport(here))
    here.recv(1)
    there.close()

    assert (nothing, bytes_, has_unread(Transport(here))) == (False, True, True)


def test_a_connection_that_has_ended_has_nothing(pair):
    """A stopping server walks over its connections while their clients leave."""
    here, _ = pair
    here.close()

    assert not has_unread(Transport(here))
    assert not has_unread(Transport(None))
