"""A loop whose time stands still until it is told, and a TCP connection in memory."""

import asyncio
import heapq
import itertools
from collections import deque
from types import SimpleNamespace

from websockets.speedups import apply_mask

from tocsin.engine.engine_server import EngineServer
from tocsin.engine.session import Session
from tocsin.engine.websocket import WebSocketTransport

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"


class FakeHandle:
    def __init__(self, callback):
        self.callback = callback

    def cancel(self):
        self.callback = None


class FakeLoop:
    """What the engine asks of a loop; time moves by ``advance`` only."""

    def __init__(self):
        self.now = 1000.0
        self._soon = deque()
        self._later = []
        self._order = itertools.count()

    def time(self):
        return self.now

    def call_soon(self, callback, *args):
        handle = FakeHandle(lambda: callback(*args))
        self._soon.append(handle)
        return handle

    def call_at(self, when, callback, *args):
        handle = FakeHandle(lambda: callback(*args))
        heapq.heappush(self._later, (when, next(self._order), handle))
        return handle

    def turn(self):
        """Run what is ready, and what that makes ready."""
        while self._soon:
            handle = self._soon.popleft()
            if handle.callback is not None:
                handle.callback()

    def advance(self, seconds):
        """Let time pass; everything due runs at its own time."""
        end = self.now + seconds
        self.turn()
        while self._later and self._later[0][0] <= end:
            when, _, handle = heapq.heappop(self._later)
            self.now = max(self.now, when)
            if handle.callback is not None:
                handle.callback()
            self.turn()
        self.now = end

    @property
    def waiting(self):
        return sum(handle.callback is not None for _, _, handle in self._later)


class FakeTcp:
    """A transport whose kernel buffer can be full; its peer is the test."""

    def __init__(self, peer="203.0.113.5", *, is_tls=False):
        self.writes = []
        self.is_full = False
        self.is_reading = True
        self.is_aborted = False
        self.high = None
        self.protocol = None
        self._info = {"peername": (peer, 50000), "sslcontext": object() if is_tls else None}
        self._buffered = 0
        self._closing = False

    @property
    def sent(self):
        return b"".join(self.writes)

    def get_extra_info(self, name, default=None):
        return self._info.get(name, default)

    def set_write_buffer_limits(self, high=None, low=None):
        self.high = high

    def get_write_buffer_limits(self):
        high = 65_536 if self.high is None else self.high
        return high // 4, high

    def get_write_buffer_size(self):
        return self._buffered

    def set_protocol(self, protocol):
        self.protocol = protocol

    def write(self, data):
        self.writes.append(bytes(data))
        if self.is_full:
            first = self._buffered == 0
            self._buffered += len(data)
            if first and self.protocol is not None:
                self.protocol.pause_writing()

    def leave(self, size=None):
        """Let the peer take bytes: all of them, or ``size``."""
        if size is not None:
            self._buffered -= size
            return
        self.is_full = False
        self._buffered = 0
        self.protocol.resume_writing()

    def pause_reading(self):
        self.is_reading = False

    def resume_reading(self):
        self.is_reading = True

    def close(self):
        self._closing = True

    def abort(self):
        self._closing = self.is_aborted = True

    def is_closing(self):
        return self._closing


class Recorder(Session):
    """A session that keeps what it receives."""

    __slots__ = ("received",)

    def __init__(self, server, sid, remote_address):
        super().__init__(server, sid, remote_address)
        self.received = []

    def opened(self):
        self.received.append("opened")

    def message_received(self, text):
        self.received.append(text)

    def binary_received(self, data):
        self.received.append(data)

    def ended(self, reason):
        self.received.append(("ended", reason))


def make_server(session_class=Recorder, **options):
    """Return an engine on a loop of its own."""
    loop = FakeLoop()
    server = EngineServer(session_class, **options)
    server.bind(loop)
    return server, loop


def open_websocket(server, **options):
    """Return a started session on a WebSocket, and its TCP connection."""
    tcp = FakeTcp(**options)
    session, _ = server.open("203.0.113.5", ())
    transport = WebSocketTransport(server, session, connections=set())
    tcp.protocol = transport
    transport.connection_made(tcp)
    session.start(transport)
    return session, tcp


def client_frame(opcode, payload=b"", *, final=True):
    """Return a masked frame as clients send it."""
    if isinstance(payload, str):
        payload = payload.encode()
    length = len(payload)
    head = bytes(((0x80 if final else 0) | opcode,))
    head += bytes((0x80 | length,)) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
    return head + MASK + apply_mask(payload, MASK)


def server_frames(data):
    """Split what a server sent into (opcode, payload)."""
    frames = []
    while data:
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        frames.append((data[0] & 0x0F, data[start : start + length]))
        data = data[start + length :]
    return frames


def texts(data):
    """Return the text messages among what a server sent."""
    return [payload.decode() for opcode, payload in server_frames(data) if opcode == TEXT]


async def until(condition):
    """Let the running loop turn until the condition holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to this")


def scope(method="GET", query="", headers=(), path="/engine.io/", client=("203.0.113.5", 50000)):
    """Return the scope of an HTTP request."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": client,
        "scheme": "http",
    }


def uvicorn_state():
    """Return what the engine needs of uvicorn's server state."""
    return SimpleNamespace(connections=set(), tasks=set(), default_headers=[])
