"""
Where one of several server processes sits: what its supervisor gives it, and what the two tell each other.

Who is started, replaced and stopped when is decided by the supervisor, in ``cli/workers``.
"""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from tocsin.rest.repeat import repeated

READY = b"ready\n"
# How often a worker says that its event loop turns.
BEAT_S = 5.0
_BEAT = b"beat\n"


class Seat:
    """
    What a worker process has of its supervisor.

    There is a listening socket for each place, held open by the supervisor: what has
    connected waits in it while a worker dies and the next one starts.

    Args:
        number: The worker's; no other of this supervisor has had it.
        place: Which of the listening sockets is its own.
        listeners: All of them, by place.
        folder: Where workers reach one another.
        line: To the supervisor. It ends when the supervisor does.
    """

    def __init__(
        self, number: int, place: int, listeners: list[socket.socket], folder: Path, line: socket.socket
    ) -> None:
        self.number = number
        self.place = place
        self.listeners = listeners
        self.folder = folder
        self.line = line

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors that the worker inherits."""
        return (*(listener.fileno() for listener in self.listeners), self.line.fileno())

    def __str__(self) -> str:
        """Return it as one argument of a command line."""
        listeners = [listener.fileno() for listener in self.listeners]
        return json.dumps([self.number, self.place, listeners, self.line.fileno(), str(self.folder)])

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Return it from that argument, in the process that has inherited the descriptors.

        Raises:
            ValueError: It is none.
        """
        number, place, listeners, line, folder = json.loads(text)
        sockets = [socket.socket(fileno=descriptor) for descriptor in listeners]
        return cls(number, place, sockets, Path(folder), socket.socket(fileno=line))

    def starting(self) -> AbstractContextManager[None]:
        """Let the supervisor wait while the running loop turns, however long a migration takes."""
        return repeated(self._speak, BEAT_S)

    def follow(self, take: Callable[[str], None]) -> None:
        """
        Tell the supervisor that requests are answered, and from now on that the loop turns; do what it says.

        Args:
            take: Gets each word: ``leave``, ``accept 2`` and ``release 2`` (a place that has no
                worker, and has one again); empty: the supervisor is no more.
        """
        self.line.setblocking(False)
        self.line.send(READY)
        loop = asyncio.get_running_loop()
        loop.add_reader(self.line, self._read, take)
        loop.call_later(BEAT_S, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._speak()
        loop.call_later(BEAT_S, self._beat, loop)

    def _speak(self) -> None:
        # A supervisor that is no more, or reads nothing: the worker's own end is told by ``_read``.
        with contextlib.suppress(OSError):
            self.line.send(_BEAT)

    def close_listeners(self) -> None:
        """Hold the port open no longer than its own server does."""
        for listener in self.listeners:
            listener.close()

    def _read(self, take: Callable[[str], None]) -> None:
        # The words are few and short: each comes whole.
        try:
            data = self.line.recv(4_096)
        except ConnectionError:
            # It was killed with something of ours unread.
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self.line)
            take("")
        for word in data.decode().splitlines():
            take(word)


def bind_together(host: str, port: int, count: int) -> list[socket.socket]:
    """
    Return sockets on one port that do not listen yet, one for each worker.

    Where the kernel spreads connections over several sockets of a port (``SO_REUSEPORT`` on Linux,
    by a hash of the addresses) each is one of those. Elsewhere they are one socket: whoever is free takes the next.

    Args:
        host: Address.
        port: 0 takes a free one.
        count: How many.

    Raises:
        OSError: The address is taken, not this machine's, or not allowed.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    # Without SO_REUSEPORT, which would share the port with any other server of this user as well.
    first = socket.create_server(address[:2], family=family)
    if sys.platform != "linux":
        return [first, *(first.dup() for _ in range(count - 1))]
    address = first.getsockname()
    first.close()
    sockets = []
    for _ in range(count):
        one = socket.socket(family)
        sockets.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    return sockets
