"""Stock clients against the engine under uvicorn, over every transport, loop and WebSocket implementation."""

import asyncio
import gc
import warnings

import pytest
import socketio
from websockets.asyncio.client import connect as websocket

from tests.wire.apps import serving, socket_app
from tests.wire.conftest import eventually


@pytest.fixture(
    scope="module",
    params=[("uvloop", "both"), ("asyncio", "both"), ("uvloop", "websockets-sansio"), ("asyncio", "wsproto")],
    ids="-".join,
)
def url(request):
    loop, door = request.param
    with serving(socket_app(), loop, door=door) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def forgotten_responses():
    """python-engineio leaves answers unread; aiohttp complains when they are collected."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="+".join)
async def test_python_socketio(url, transports):
    """Events, acks and binary go both ways; the end is told to the client."""
    client = socketio.AsyncClient(reconnection=False)
    heard = asyncio.Queue()
    client.on("message-back", lambda *args: heard.put_nowait(args))
    client.on("auth", heard.put_nowait)
    try:
        await client.connect(url, transports=transports, auth={"token": "x"})
        async with asyncio.timeout(10):
            assert {"token": "x"} == await heard.get()
            await client.emit("message", (1, "two", {"three": [b"\x00\x01"]}))
            assert (1, "two", {"three": [b"\x00\x01"]}) == await heard.get()
            assert (1, b"2") == await client.call("message-with-ack", (1, b"2"))
            assert transports[-1] == client.transport()
    finally:
        await client.disconnect()


async def test_python_socketio_is_refused(url):
    """The refusal's message and data arrive."""
    client = socketio.AsyncClient(reconnection=False)
    refusals = asyncio.Queue()
    client.on("connect_error", refusals.put_nowait)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(url, transports=["websocket"], auth={"refuse": "no", "data": {"code": "x"}})

    assert {"message": "no", "data": {"code": "x"}} == await refusals.get()
    await client.disconnect()


async def test_websockets_with_compression_on_offer(url):
    """A client that offers permessage-deflate is understood, whether the server takes the offer or not."""
    async with websocket(f"{url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket") as client:
        assert str(await client.recv()).startswith("0{")
        await client.send("40")
        assert str(await client.recv()).startswith("40{")


async def test_many_clients_at_once(url):
    """Two hundred clients connect together, and each gets its own answers."""

    async def one(number):
        async with websocket(f"{url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket") as client:
            await client.send("40")
            await client.send(f'427["message-with-ack",{number}]')
            while True:
                message = await client.recv()
                if message.startswith("437"):
                    return message

    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(one(number) for number in range(200)))

    assert [f"437[{number}]" for number in range(200)] == answers


async def test_shutdown_is_clean():
    """Stopping the server closes clients with 1001 and leaves nothing behind."""
    server = socket_app()
    with serving(server) as port:
        client = await websocket(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket")
        await client.send("40")
        await eventually(lambda: server.stats["connections"] == 1)

    await client.wait_closed()
    assert 1001 == client.close_code
    assert 0 == server.stats["connections"]
    assert 0 == len(server.wheel)
