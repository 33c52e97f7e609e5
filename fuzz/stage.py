"""
A Socket.IO server in memory, a client that behaves, and others that do anything.

Real sessions, transports and handlers; TCP is a fake and time a simulation, so
that a minute of misbehaviour takes milliseconds. ``play`` raises when a promise
of the engine is broken: an exception gets out of it, the client that behaves
misses something, more is held than the limits say, or something stays behind.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from fuzz.offenders import AsgiOffender, Offender, Poller, Probe, WebSocketOffender
from fuzz.stage_server import LIMITS, make_server
from fuzz.still_loop import StillLoop
from tests.unit.engine.fakes import FakeTcp, client_frame, server_frames
from tocsin.engine.asgi_websocket import AsgiTransport
from tocsin.engine.client_socket import TooManyCalls
from tocsin.engine.packets import encode_event
from tocsin.engine.server import SocketServer
from tocsin.engine.websocket import WebSocketTransport

MAX_OFFENDERS = 4
# Longer than every deadline there is: ping 25 + 20, CONNECT 45, write 10, close 5, upgrade 10, a call 5.
END_S = 70.0

Step = tuple[Any, ...]
"""Its name and what it needs: see ``Stage.take``."""


class Ear(logging.Handler):
    """Keeps what the engine logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.heard.append(self.format(record))


class Bystander:
    """A client on ``/`` that answers pings; ``ticks`` is what it was told."""

    def __init__(self, server: SocketServer) -> None:
        self.tcp = FakeTcp("198.51.100.1")
        self.session: Any
        self.session, _ = server.open("198.51.100.1", ())
        self.ticks: list[int] = []
        self.transport = WebSocketTransport(server, self.session, connections=set())
        self.tcp.protocol = self.transport
        self.transport.connection_made(self.tcp)
        self.session.start(self.transport)
        self.transport.data_received(client_frame(1, "40"))

    def hear(self) -> None:
        """Read what the server sent and answer its pings."""
        sent, self.tcp.writes = self.tcp.sent, []
        for _, payload in server_frames(sent):
            if payload == b"2":
                self.transport.data_received(client_frame(1, "3"))
            elif payload.startswith(b'42["tick",'):
                self.ticks.append(int(payload[len(b'42["tick",') : -1]))


class Stage:
    """
    The server, its handlers and its clients; belongs to one StillLoop.

    Attributes:
        told: Ticks emitted so far.
    """

    def __init__(self, loop: StillLoop) -> None:
        self.loop = loop
        self.server = make_server()
        self.server.bind(loop)
        self.bystander = Bystander(self.server)
        self.offenders: list[Offender] = []
        self.told = 0

    async def take(self, step: Step) -> None:
        """
        Take one step.

        ``open``, ``asgi``, ``poll``: a client comes, by WebSocket, ours or another server's, or by polling.
        ``upgrade N``, ``asgi_upgrade N``: it probes. ``read N BYTES``: its bytes come, to a WebSocket as they
        are, to polling as a POST. ``get N``: it polls. ``stall N``, ``flow N``: it takes nothing more; it takes all.
        ``hang N``: it hangs up. ``emit N``: the server says something to it. ``call N``: and wants an answer.
        ``whisper N``: and says what may be dropped. ``part N``: ends its namespaces. ``close N``: ends it.
        ``wait SECONDS``.
        """
        name, *rest = step
        if name == "open" and len(self.offenders) < MAX_OFFENDERS:
            self.offenders.append(WebSocketOffender(self.server))
        elif name == "asgi" and len(self.offenders) < MAX_OFFENDERS:
            self.offenders.append(asgi := AsgiOffender(self.server))
            await asgi.open()
        elif name == "poll" and len(self.offenders) < MAX_OFFENDERS:
            poller = Poller(self.server)
            await poller.open()
            self.offenders.append(poller)
        elif name == "wait":
            await self._wait(rest[0])
        elif name not in ("open", "asgi", "poll") and self.offenders:
            await self._let(self.offenders[rest[0] % len(self.offenders)], name, *rest[1:])
        await self.settle()

    async def _let(self, offender: Offender, name: str, *data: bytes) -> None:
        if name in ("read", "get", "stall", "flow", "hang"):
            getattr(offender, name)(*data)
        elif name == "upgrade" and isinstance(offender, Poller) and len(self.offenders) < MAX_OFFENDERS:
            self.offenders.append(Probe(self.server, offender.session))
        elif name == "asgi_upgrade" and isinstance(offender, Poller) and len(self.offenders) < MAX_OFFENDERS:
            if not offender.session.closed:
                self.offenders.append(AsgiOffender(self.server, offender.session))
        elif name == "close":
            offender.session.close()
        else:
            for socket in list(offender.session.sockets.values()):
                self._say(socket, name)

    def _say(self, socket: Any, name: str) -> None:
        if name == "emit":
            socket.emit("news", "x" * 200, b"\x00" * 10)
        elif name == "whisper":
            socket.emit("hint", "y" * 300, ephemeral=True)
            socket.defer(encode_event(socket.namespace, "hint"), True)
        elif name == "part":
            socket.disconnect()
        elif name == "call":
            self.server.spawn(_ask(socket), socket.connection)

    async def _wait(self, seconds: float) -> None:
        until = self.loop.now + seconds
        while self.loop.now < until:
            await asyncio.sleep(min(5.0, until - self.loop.now))
            self.bystander.hear()

    async def settle(self) -> None:
        """Let everything run that is ready, tell a tick, and look at the promises."""
        self.told += 1
        self.server.emit("tick", self.told, room="all")
        for _ in range(6):
            await asyncio.sleep(0)
            for offender in self.offenders:
                offender.lose()
        self.bystander.hear()
        assert self.bystander.ticks == list(range(1, self.told + 1)), "the bystander missed something"
        assert not self.bystander.session.closed, "the bystander was cut"
        for offender in self.offenders:
            _check_bounds(offender)
        assert len(self.server.sessions) <= 1 + len(self.offenders)
        assert len(self.server.corked) <= 1 + len(self.offenders)

    async def finish(self) -> None:
        """Let everybody leave; nothing may stay behind."""
        for offender in self.offenders:
            offender.flow()
            offender.hang()
        await self._wait(END_S)
        await self.settle()
        assert len(self.server.sessions) == 1, "a session outlived its client"
        assert self.server.namespaces["/"].sockets.keys() == set(self.bystander.session.sockets.values())
        self.bystander.session.abort()
        self.bystander.transport.connection_lost(None)
        self.bystander.tcp.protocol = None
        await asyncio.sleep(1.0)
        assert not self.server.sessions
        assert not self.server._sessions_of
        assert not self.server._bare
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks stay behind: {left}"
        assert not self.server.namespaces["/chat"].rooms.members("all")


async def _ask(socket: Any) -> None:
    with contextlib.suppress(TimeoutError, ConnectionError, TooManyCalls):
        await socket.call("question", b"\x01", timeout_s=5.0)


def _check_bounds(offender: Offender) -> None:
    """Raise when more is held for a client than the limits say."""
    session: Any = offender.session
    assert session.in_flight <= LIMITS.handlers_in_flight + LIMITS.max_packets_per_post
    assert len(session._sockets) <= LIMITS.max_namespaces
    for transport in (session.transport, offender.transport):
        outbox = getattr(transport, "_outbox", None)
        if outbox is not None:
            # Over ASGI what one turn brings waits for its end, whether the client reads or not.
            room = 8 if isinstance(transport, AsgiTransport) else 1
            assert len(outbox) <= LIMITS.queue_packets * room
            assert outbox.size <= LIMITS.queue_bytes * room + LIMITS.max_payload
        partial = getattr(transport, "_partial", None)
        if partial is not None:
            assert len(partial.buffer) <= 2 * LIMITS.max_payload + 14
            assert len(partial.message) <= LIMITS.max_payload


def play(steps: Sequence[Step]) -> None:
    """
    Let a server and its clients go through these steps, then let all leave.

    Raises:
        AssertionError: A promise of the engine is broken.
    """
    loop = StillLoop()
    ear = Ear()
    loggers = [logging.getLogger("tocsin"), logging.getLogger("asyncio")]
    for logger in loggers:
        logger.addHandler(ear)

    async def script() -> None:
        stage = Stage(loop)
        await stage.settle()
        for step in steps:
            await stage.take(step)
        await stage.finish()

    try:
        loop.run_until_complete(script())
    finally:
        for logger in loggers:
            logger.removeHandler(ear)
        loop.close()
    assert not ear.heard, ear.heard[0]
    assert not loop.complaints, loop.complaints
