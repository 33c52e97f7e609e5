"""ASGI servers for tests: what one says to an application and hears from it."""

import asyncio
from contextlib import asynccontextmanager, suppress

from tests.unit.engine.fakes import scope, until
from tocsin.engine.packets import encode_message

QUERY = "EIO=4&transport=websocket"


class AsgiServer:
    """One WebSocket connection of an ASGI server; ``is_full`` keeps what is sent waiting."""

    def __init__(self):
        self.sent = []
        self.gone = None
        self._inbox = asyncio.Queue()
        self._open = asyncio.Event()
        self._open.set()
        self.say("websocket.connect")

    def say(self, kind="websocket.receive", **fields):
        self._inbox.put_nowait({"type": kind, **fields})

    def text(self, *texts):
        for text in texts:
            self.say(text=text)

    async def receive(self):
        return await self._inbox.get()

    async def send(self, message):
        await self._open.wait()
        if self.gone is not None:
            raise self.gone
        self.sent.append(message)

    def fill(self):
        self._open.clear()

    def drain(self):
        self._open.set()

    @property
    def kinds(self):
        return [message["type"].removeprefix("websocket.") for message in self.sent]

    @property
    def said(self):
        """Return what was sent behind the handshake of Engine.IO."""
        return [message.get("text") or message.get("bytes") for message in self.sent if "send" in message["type"]][1:]

    @property
    def close_code(self):
        return self.sent[-1].get("code") if self.kinds[-1] == "close" else None


class Tcp:
    """The transport that uvicorn's connection has."""

    def __init__(self):
        self.is_aborted = False
        self.waiting = 0

    def abort(self):
        self.is_aborted = True

    def get_write_buffer_size(self):
        return self.waiting


class UvicornServer(AsgiServer):
    """As uvicorn's: its ``send`` is a method of what has the transport."""

    def __init__(self):
        super().__init__()
        self.transport = Tcp()


def websocket_scope(query=QUERY, headers=(), **more):
    return {**scope(query=query, headers=headers), "type": "websocket", "scheme": "ws", **more}


@asynccontextmanager
async def connected(engine, kind=AsgiServer, query=QUERY):
    """Yield the server's side of a connection and the task that serves it."""
    asgi = kind()
    task = asyncio.create_task(engine.websocket(websocket_scope(query), asgi.receive, asgi.send))
    try:
        yield asgi, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def opened(engine, kind=AsgiServer):
    """Yield a session whose handshake was sent, the server's side and the task."""
    async with connected(engine, kind) as (asgi, task):
        await until(lambda: len(asgi.sent) == 2)
        yield next(iter(engine.sessions.values())), asgi, task


def say(*words):
    return [encode_message(word) for word in words]
