"""A fake server's end: no connection of it is left open, however new it is."""

import gc
import socket
from contextlib import suppress

import pytest

from tocsin.testing.smtp import FakeSmtp


@pytest.mark.parametrize("connections", [1, 3, 20])
def test_who_is_being_accepted_is_hung_up_on_too(connections):
    """What is left open is a ResourceWarning, and that an error."""
    for _ in range(20):
        with FakeSmtp() as smtp:
            host, _, port = smtp.host.partition(":")
            callers = [socket.create_connection((host, int(port)), timeout=20) for _ in range(connections)]
        for caller in callers:
            with caller, suppress(ConnectionResetError):  # it was never accepted
                while caller.recv(1_000):
                    pass
    gc.collect()
