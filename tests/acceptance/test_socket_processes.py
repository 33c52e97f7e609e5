"""What another process writes to the database reaches the sockets of this one, and so does its end."""

import asyncio
import os
import sys
import threading

import pytest

from tests.acceptance.wire_socket import connected, eventually, wire
from tests.conftest import SECRET

NS = "/notifications"


async def tocsin(server, *arguments):
    """Run the command line in a process of its own on the server's database."""
    environment = {
        **os.environ,
        "TOCSIN_DATABASE_URL": server.settings.database_url,
        "TOCSIN_JWT_SECRET": SECRET,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from tocsin.cli import main; main()",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert 0 == process.returncode, output.decode()


async def test_a_notification_of_another_process_arrives(server):
    """``tocsin send`` wakes nobody; the sweep of heads finds its event, and order holds."""
    async with connected(server.url, NS, server.mint(1)) as socket:
        await tocsin(server, "send", "1", "From outside", "종")
        headers = server.bearer("host", "publish")
        body = {"user_id": 1, "type": "t", "title": "From inside", "message": "m"}
        posted = await asyncio.to_thread(lambda: server.http.post("/api/notifications", json=body, headers=headers))
        heard = [await socket.payload(NS, "notification") for _ in range(2)]

    assert 201 == posted.status_code
    assert [(1, "From outside"), (2, "From inside")] == [(payload["seq"], payload["title"]) for payload in heard]


async def test_the_sweep_alone_brings_what_another_process_wrote(server):
    """Without any event of this process it arrives within a sweep."""
    async with connected(server.url, NS, server.mint(1)) as socket:
        await tocsin(server, "send", "1", "From outside", "종")

        assert "From outside" == (await socket.payload(NS, "notification"))["title"]


async def test_a_new_epoch_of_another_process_is_told_to_live_sockets(server):
    """``tocsin db new-epoch`` shows as ``resync`` at the next sweep, and for every later cursor."""
    async with connected(server.url, NS, server.mint(1)) as socket:
        old = server.service.store.epoch
        await tocsin(server, "db", "new-epoch")
        resync = await socket.payload(NS, "resync")
    async with wire(server.url) as socket:
        await socket.connect(NS, {"token": server.mint(1), "epoch": old, "last_seq": 0})
        late = await socket.payload(NS, "resync")

    assert "epoch_changed" == resync["reason"] == late["reason"]
    assert resync["epoch"] == late["epoch"] != old


@pytest.mark.parametrize("namespace", ["/chat", "/of-the-host"])
async def test_who_joins_a_server_that_stops_is_told_as_well(start_server, monkeypatch, namespace):
    """Its connection was there when all were told, its namespace was not."""
    server = start_server()
    service = server.service
    service.realtime.add_namespace("/of-the-host")
    is_told = threading.Event()

    async def close(**_):
        await asyncio.to_thread(is_told.wait, 20)

    async with wire(server.url) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(service.engine, "close", close)
            draining = asyncio.create_task(asyncio.to_thread(lambda: server.call(service.drain(5.0))))
            await eventually(lambda: service.engine.refuse_new)
            await socket.connect(namespace, {"token": server.mint(1)})
            try:
                assert 0 <= (await socket.payload(namespace, "server_draining"))["retry_in"] <= 5
            finally:
                is_told.set()
                await draining


async def test_a_server_that_stops_says_when_to_come_back(start_server):
    """``server_draining {retry_in}``, then the transport closes: no Socket.IO DISCONNECT before it."""
    server = start_server()
    async with connected(server.url, "/chat", server.mint(1)) as socket:
        await asyncio.to_thread(lambda: server.call(server.service.drain(5.0)))
        async with asyncio.timeout(10):
            await socket.closed.wait()
        events = socket.untaken("/chat")

    assert ["server_draining"] == [name for name, _ in events]
    assert 0 <= events[0][1]["retry_in"] <= 5
