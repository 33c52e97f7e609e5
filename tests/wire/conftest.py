"""
Servers of the wire tests: the little apps on uvloop, on asyncio's own loop, and behind uvicorn's own WebSocket.

A test marked ``own_doors`` is about what the engine does on the byte stream: behind an ASGI server it is that
server's.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.wire.apps import engine_app, serving, socket_app
from tests.wire.clients import DEADLINE_S, OPENED, Client
from tocsin.engine.engine_server import EngineServer

Serve = Callable[[EngineServer], Client]


async def eventually(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until the condition holds, at most until the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            result = condition()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
async def _hang_up() -> AsyncIterator[None]:
    """Close what a failed test has left open."""
    yield
    for socket in OPENED:
        async with socket:
            pass
    OPENED.clear()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "own_doors: about the engine's own protocol classes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what an ASGI server does in its own way."""
    theirs = [
        item
        for item in items
        if item.get_closest_marker("own_doors") and hasattr(item, "callspec")
        if item.callspec.params.get("way") == "asgi"
    ]
    if theirs:
        config.hook.pytest_deselected(items=theirs)
        items[:] = [item for item in items if item not in theirs]


WAYS = {"uvloop": ("uvloop", "both"), "asyncio": ("asyncio", "both"), "asgi": ("uvloop", "websockets-sansio")}


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Name how the server is reached: see ``WAYS``."""
    return request.param


@pytest.fixture(scope="module")
def loop_name(way: str) -> str:
    return WAYS[way][0]


@pytest.fixture(scope="module")
def module_serve(way: str) -> Iterator[Serve]:
    loop, door = WAYS[way]
    with ExitStack() as stack:
        yield lambda server: Client(stack.enter_context(serving(server, loop, door=door)), server.path)


@pytest.fixture
def serve(way: str) -> Iterator[Serve]:
    """Serve an app with options of one test."""
    loop, door = WAYS[way]
    with ExitStack() as stack:
        yield lambda server: Client(stack.enter_context(serving(server, loop, door=door)), server.path)


@pytest.fixture(scope="module")
def engine(module_serve: Serve) -> Client:
    """The Engine.IO echo app with calm timers, so that nothing closes by accident."""
    return module_serve(engine_app())


@pytest.fixture(scope="module")
def quick_engine(module_serve: Serve) -> Client:
    """The Engine.IO echo app that pings every 300 ms."""
    return module_serve(engine_app(ping_interval=0.3, ping_timeout=0.2))


@pytest.fixture(scope="module")
def calls(loop_name: str) -> list[tuple[Any, ...]]:
    """What the handlers of ``sockets`` were called with."""
    return []


@pytest.fixture(scope="module")
def socket_server(calls: list[tuple[Any, ...]]) -> EngineServer:
    return socket_app(calls)


@pytest.fixture(scope="module")
def sockets(module_serve: Serve, socket_server: EngineServer) -> Client:
    """The Socket.IO app with calm timers."""
    return module_serve(socket_server)


@pytest.fixture
async def bystander(sockets: Client, caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Another client of ``sockets``, which must not notice what the test does; nor may the server stumble."""
    async with await sockets.socket() as socket:
        yield
        await socket.send('42["message","still here"]')
        assert '42["message-back","still here"]' == await socket.receive()
    errors = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    # uvicorn's own answer to it is right, but noisy.
    assert [] == [error for error in errors if error != "Invalid UTF-8 sequence received from client."]
