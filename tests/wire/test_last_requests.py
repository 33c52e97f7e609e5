"""A server that stops answers what has been asked by then, and closes the connections of all others."""

import asyncio
import time

import pytest

from tests.wire.apps import engine_app
from tests.wire.clients import DEADLINE_S
from tests.wire.conftest import Serve, eventually
from tocsin.engine.unread import has_unread
from tocsin.engine.upgrade import FirstBytesDoor

pytestmark = pytest.mark.own_doors

REQUEST = b"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def taken(monkeypatch) -> list[asyncio.Transport]:
    """The connections that the server has taken."""
    made = []
    real = FirstBytesDoor.connection_made

    def connection_made(door, tcp):
        made.append(tcp)
        real(door, tcp)

    monkeypatch.setattr(FirstBytesDoor, "connection_made", connection_made)
    return made


async def connect(port: int, taken: list[asyncio.Transport], *, is_kept: bool):
    """Open a connection; one that is kept has had an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if is_kept:
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")
    await eventually(lambda: bool(taken))
    return reader, writer


@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
async def test_a_request_that_waits_unread_is_answered(serve: Serve, taken, is_kept):
    """Whoever asks at that moment is told that the connection ends, and is not reset."""
    engine = engine_app()
    client = serve(engine)
    reader, writer = await connect(client.port, taken, is_kept=is_kept)
    here = asyncio.get_running_loop()

    def stop() -> None:
        # As uvicorn does when it exits; the server's loop has no turn between the request and this.
        here.call_soon_threadsafe(writer.write, REQUEST)
        until = time.monotonic() + DEADLINE_S
        while not has_unread(taken[0]) and time.monotonic() < until:
            time.sleep(0.001)
        taken[0].get_protocol().shutdown()

    engine.refuse_new = True
    engine.loop.call_soon_threadsafe(stop)
    answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()

    assert answer.startswith(b"HTTP/1.1 404")
    assert b"connection: close" in answer


@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
async def test_who_asks_nothing_does_not_hold_up_the_end(serve: Serve, taken, is_kept):
    """Connections kept for later are closed at once."""
    engine = engine_app()
    client = serve(engine)
    reader, writer = await connect(client.port, taken, is_kept=is_kept)
    engine.loop.call_soon_threadsafe(lambda: taken[0].get_protocol().shutdown())
    rest = await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()

    assert b"" == rest
