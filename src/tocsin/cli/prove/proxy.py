"""
A relay of TCP connections that can be told to behave as a bad network does.

What it can't do: leave a SYN without an answer (the kernel accepts for it), or
leave bytes without their acknowledgement. Whoever is behind a stalled relay
connects and is never answered, and no time-out of the kernel comes to help:
the harder case.
"""

import asyncio
import random
import socket
import struct
from contextlib import suppress
from enum import Flag
from types import TracebackType
from typing import Self

_CHUNK = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)


class Way(Flag):
    """Where bytes go: ``UP`` to the target, ``DOWN`` from it."""

    UP = 1
    DOWN = 2
    BOTH = 3


class _Link:
    """A connection that was accepted, and the one that was opened for it."""

    __slots__ = ("ends", "pumps")

    def __init__(self, near: asyncio.StreamWriter) -> None:
        self.ends = [near]
        self.pumps: list[asyncio.Task[None]] = []

    def reset(self) -> None:
        for end in self.ends:
            _reset(end)


def _reset(end: asyncio.StreamWriter) -> None:
    if not end.is_closing():
        # Without this the peer would hear of an orderly end.
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    end.transport.abort()


class Proxy:
    """
    Listens on a free port of 127.0.0.1 and relays to a target; an async context manager.

    Belongs to one event loop.

    Args:
        host: Of the target.
        port: Of the target.

    Attributes:
        port: Where it listens.
        accepted: Connections so far.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.accepted = 0
        self._target = (host, port)
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._passes = {way: asyncio.Event() for way in Way.BOTH}
        self._server: asyncio.Server | None = None
        self.heal()

    def __len__(self) -> int:
        return len(self._links)

    def stall(self, ways: Way = Way.BOTH) -> None:
        """
        Let nothing pass any more in some directions, not even the end of a connection.

        Nobody is told: connections stay open, and new ones are accepted. Nothing
        is lost: what was sent meanwhile passes after ``heal``, as TCP repeats
        what was not acknowledged.
        """
        for way in ways:
            self._passes[way].clear()

    def heal(self) -> None:
        """Let everything pass."""
        for event in self._passes.values():
            event.set()

    def cut(self, chance: float = 1.0) -> int:
        """Reset connections at both ends, each by that chance; return how many there were."""
        cut = [link for link in self._links.values() if random.random() < chance]  # noqa: S311 - no secret
        for link in cut:
            link.reset()
        return len(cut)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of ours: asyncio logs the end of its own as an error.
        link = _Link(writer)
        task = asyncio.create_task(self._relay(reader, link), name="tocsin-prove-proxy")
        self.accepted += 1
        self._links[task] = link
        task.add_done_callback(self._links.pop)

    async def _relay(self, reader: asyncio.StreamReader, link: _Link) -> None:
        try:
            with suppress(OSError):
                back, far = await asyncio.open_connection(*self._target)
                link.ends.append(far)
                pumps = self._pump(Way.UP, reader, far), self._pump(Way.DOWN, back, link.ends[0])
                link.pumps = [asyncio.create_task(pump) for pump in pumps]
                # The first that fails ends both; one that ends leaves the other way open.
                await asyncio.wait(link.pumps, return_when=asyncio.FIRST_EXCEPTION)
                if all(task.done() and task.exception() is None for task in link.pumps):
                    for end in link.ends:
                        end.close()
        finally:
            for task in link.pumps:
                task.cancel()
            for end in link.ends:
                if not end.is_closing():
                    _reset(end)
            # Before the loop ends, which would leave the transports open.
            await asyncio.gather(*link.pumps, *(end.wait_closed() for end in link.ends), return_exceptions=True)

    async def _pump(self, way: Way, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        passes = self._passes[way]
        while True:
            await passes.wait()
            try:
                data = await source.read(_CHUNK)
            except OSError:
                await passes.wait()
                raise
            # What was read when the stall began waits, too; so does the news of a reset.
            await passes.wait()
            if not data:
                target.write_eof()
                return
            target.write(data)
            await target.drain()
