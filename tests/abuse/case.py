"""What abuse is here: an act upon a running server, and the answer that it got, as one line."""

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from tests.conftest import RunningServer
from tests.wire.clients import Client, Closed, WebSocket

INBOX = "/api/notifications"
ORIGIN = "https://evil.example"


@dataclass
class Target:
    """
    Who is abused.

    Attributes:
        server: With the settings that hold when nobody sets any.
        strict: One with small figures for what would take long to reach.
    """

    server: RunningServer
    strict: RunningServer

    def client(self, server: RunningServer | None = None) -> Client:
        return Client(int((server or self.server).url.rpartition(":")[2]), "/socket.io/")

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send one request; it acts as ``ann`` unless ``headers`` say otherwise."""
        return await ask(self.server, method, path, **request)

    async def post(self, body: Any, path: str = INBOX, user: str = "shop", scope: str = "publish") -> httpx.Response:
        return await self.ask("POST", path, json=body, headers=self.server.bearer(user, scope))

    async def made(self, user: str = "bob") -> str:
        """Return the id of a new notification of a user."""
        return str((await self.post({"user_id": user, "type": "t", "title": "t", "message": ""})).json()["id"])


async def ask(server: RunningServer, method: str, path: str, **request: Any) -> httpx.Response:
    request.setdefault("headers", server.bearer("ann"))
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
        return await http.request(method, path, **request)


Act = Callable[[Target], Awaitable[str]]


@dataclass
class Case:
    """One row of the page."""

    area: str
    what: str
    act: Act


CASES: list[Case] = []


def case(area: str, what: str) -> Callable[[Act], Act]:
    """Add a case, in the order of the source."""

    def add(act: Act) -> Act:
        CASES.append(Case(area, what, act))
        return act

    return add


# Answers as the page words them.


def told(answer: httpx.Response, *headers: str) -> str:
    """Return status, code and the named headers, each with its value or its absence."""
    is_json = answer.headers.get("content-type", "").startswith("application/problem+json")
    line = f"{answer.status_code} `{answer.json()['code']}`" if is_json else str(answer.status_code)
    if not is_json and answer.headers.get("content-type", "").startswith("application/json") and answer.content:
        message = answer.json().get("message")
        line += f" “{message}”" if message else ""
    for name in headers:
        line += f", `{name}: {answer.headers[name]}`" if name in answer.headers else f", no `{name}`"
    return line


async def closed(socket: WebSocket) -> str:
    """Return how the server ends the connection."""
    code = await socket.close_code()
    return "the connection is cut" if code is None else f"the connection closes with {code}"


@asynccontextmanager
async def connected(target: Target, user: str = "ann", namespace: str = "/chat", server: RunningServer | None = None):
    """Open a socket of a user."""
    server = server or target.server
    async with await target.client(server).session() as socket:
        await socket.send(f"40{namespace},{orjson.dumps({'token': server.mint(user)}).decode()}")
        while not str(await heard(socket)).startswith(f'42{namespace},["synced"'):
            pass
        yield socket


async def heard(socket: WebSocket) -> str | bytes:
    """Return the next message that is no ping."""
    while True:
        message = await socket.receive()
        if message == "2":
            await socket.send("3")
        else:
            return message


async def acked(socket: WebSocket, event: str, *args: Any, namespace: str = "/chat", id_: int = 7) -> str:
    """Send an event and return its ack, or how the connection ends."""
    await socket.send(f"42{namespace},{id_}" + orjson.dumps([event, *args]).decode())
    prefix = f"43{namespace},{id_}"
    try:
        while not str(message := await heard(socket)).startswith(prefix):
            pass
    except Closed as end:
        return f"the connection closes with {end.code}"
    (ack,) = orjson.loads(str(message)[len(prefix) :])
    return "ack `ok`" if ack.get("ok") else f"ack `{ack['code']}`"


async def refused(target: Target, auth: Any, namespace: str = "/chat", server: RunningServer | None = None) -> str:
    """Try to connect a namespace; return what comes of it."""
    async with await target.client(server).session() as socket:
        text = auth if isinstance(auth, str) else orjson.dumps(auth).decode()
        await socket.send(f"40{namespace},{text}")
        try:
            answer = str(await heard(socket))
        except Closed as end:
            return f"the connection closes with {end.code}"
    if not answer.startswith("44"):
        return "connected"
    error = orjson.loads(answer.partition(",")[2])
    code = f" `{error['data']['code']}`" if "data" in error else ""
    return f"CONNECT_ERROR{code} “{error['message']}”"
