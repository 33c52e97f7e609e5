"""The engine in front of another application: one port, and a shutdown that says good-bye."""

import asyncio
import logging
from contextlib import ExitStack

import pytest

from tests.wire.apps import serving, socket_app
from tests.wire.clients import TEXT, Client, client_frame
from tests.wire.conftest import WAYS


async def host_app(scope, receive, send) -> None:
    """Another ASGI application: echoes the path over HTTP and messages over WebSocket."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
    else:
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"]})


@pytest.fixture(params=["both", "ws", "websockets-sansio"])
def host(request, loop_name):
    with serving(socket_app(), loop_name, app=host_app, door=request.param) as port:
        yield Client(port, "/socket.io/")


async def test_other_paths_reach_the_application(host: Client):
    """HTTP on any other path is the application's, also where it begins like ours."""
    for path in ("/", "/socket.io-demo/", "/api/socket.io/"):
        answer = await Client(host.port, path).request("GET", "EIO=4&transport=polling")
        assert (200, path) == (answer.status_code, answer.text)


async def test_other_websockets_reach_the_application(host: Client):
    """A WebSocket on another path is uvicorn's and the application's."""
    async with await Client(host.port, "/other").websocket() as socket:
        await socket.send_raw(client_frame(TEXT, b"hello"))

        assert "hello" == await socket.receive()


async def test_ours_is_ours(host: Client):
    """The engine's own path is served beside them, on both transports."""
    async with await host.socket() as socket:
        await socket.send('42["message"]')
        assert '42["message-back"]' == await socket.receive()
    assert await host.polling_session()


async def test_upgrades_are_checked_through_both_doors(host: Client):
    """A bad handshake is refused whichever way it came in."""
    for changes in ({"Sec_WebSocket_Version": "12"}, {"Sec_WebSocket_Key": "x"}, {"Origin": "https://evil.example"}):
        async with await host.upgrade(**changes) as socket:
            assert socket.answer.status in (400, 403, 426)


@pytest.mark.own_doors
async def test_a_refused_websocket_holds_nothing_up(loop_name):
    """A WebSocket that uvicorn refuses on another path is forgotten: the server stops."""
    with serving(socket_app(), loop_name, app=host_app) as port:
        async with await Client(port, "/other").upgrade(Sec_WebSocket_Key="x") as socket:
            assert 400 == socket.answer.status
            assert await socket.cut()


async def test_shutdown_says_going_away(way):
    """When the server stops, clients get 1001, or uvicorn's 1012, which tells them to come back; nothing is left."""
    loop, door = WAYS[way]
    server = socket_app()
    with ExitStack() as stack:
        port = stack.enter_context(serving(server, loop, door=door))
        async with await Client(port, "/socket.io/").socket() as socket:
            stopping = asyncio.create_task(asyncio.to_thread(stack.close))

            assert (1001 if door == "both" else 1012) == await socket.close_code()
            assert await socket.cut()
            await stopping
    assert 1 == server.stats["closed:server shutting down"]
    assert 0 == len(server.wheel)


async def test_logs_keep_secrets(way, caplog):
    """Neither tokens nor texts nor session ids appear in a log, at any level."""
    loop, door = WAYS[way]
    with caplog.at_level(logging.DEBUG), serving(socket_app(), loop, door=door) as port:
        client = Client(port, "/socket.io/")
        async with await client.session() as socket:
            await socket.send('40{"token":"a-secret-token"}')
            assert "sid" in str(await socket.receive())
            await socket.receive()
            await socket.send('42["message","a-private-text"]')
            await socket.receive()
            await socket.send('42["a-private-event"')
            await socket.close_code()
        sid = await client.polling_session()
        await client.push(sid, '40{"token":"a-secret-token"')

    engine_logs = "".join(record.getMessage() for record in caplog.records if record.name.startswith("tocsin"))
    assert "a-secret-token" not in engine_logs
    assert "a-private" not in engine_logs
    assert sid not in engine_logs


@pytest.mark.own_doors
async def test_shutdown_ends_waiting_polls(loop_name):
    """A poll that waits doesn't hold the shutdown up: it is answered with a close packet."""
    with ExitStack() as stack:
        client = Client(stack.enter_context(serving(socket_app(), loop_name)), "/socket.io/")
        sid = await client.polling_session()
        poll = asyncio.create_task(client.poll(sid))
        await client.push(sid, "40")
        while "auth" not in (await poll).text:
            poll = asyncio.create_task(client.poll(sid))
        poll = asyncio.create_task(client.poll(sid))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(stack.close)

        assert (200, "1") == ((await poll).status_code, (await poll).text)
