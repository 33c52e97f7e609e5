"""Fault 7: a client that stops reading is cut and resumes; the others notice nothing."""

import asyncio
import socket

import pytest

from tests.acceptance.wire_socket import connected, eventually
from tocsin.domain.user_id import UserId

NS = "/sns"
EVENTS = 200
EVENT_BYTES = 50_000

pytestmark = pytest.mark.slow


async def stopped_client(url, token):
    """Return a connected client that has stopped to read, with a small buffer of its own."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    link.setblocking(False)
    loop = asyncio.get_running_loop()
    host, _, port = url.removeprefix("http://").partition(":")
    await loop.sock_connect(link, (host, int(port)))
    await loop.sock_sendall(
        link,
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    connect = b'40/sns,{"token":"' + token.encode() + b'"}'
    await loop.sock_sendall(link, bytes([0x81, 0xFE]) + len(connect).to_bytes(2, "big") + b"\0\0\0\0" + connect)
    got = b""
    while b"synced" not in got:
        got += await loop.sock_recv(link, 4_096)
    return link


async def test_a_client_that_stops_reading_is_cut_and_loses_nothing(server):
    """
    With 10 MB for it, its transport closes; a healthy device of the same user gets all.

    The cut client comes back with its cursor and is sent what it missed.
    """
    token, user = server.mint("ann"), UserId("ann")
    link = await stopped_client(server.url, token)
    async with (
        connected(server.url, NS, token) as healthy,
        connected(server.url, NS, server.mint("bob")) as bystander,
    ):

        async def publish():
            for number in range(EVENTS):
                data = {"post_id": number, "message": "x" * EVENT_BYTES}
                await server.service.activity.publish(NS, "publish_success", [user], data)

        await asyncio.to_thread(lambda: server.call(publish()))
        heard = [(await healthy.payload(NS, "publish_success"))["post_id"] for _ in range(EVENTS)]
        assert (await bystander.ask(NS, "ack", {"seq": 0}))["ok"]
        await eventually(lambda: server.service.engine.stats.get("closed:slow"))
    link.close()

    epoch = server.service.store.epoch
    async with connected(server.url, NS, token, epoch=epoch, last_seq=0) as back:
        replayed = await back.until(NS, "synced")

    assert list(range(EVENTS)) == heard
    assert list(range(EVENTS)) == [payload["post_id"] for name, payload in replayed if name == "publish_success"]
    assert 1 == server.service.engine.stats["closed:slow"]


async def test_a_slow_client_loses_ephemeral_events_first(server):
    """Signs of typing are dropped for a full client before anything durable closes it."""
    token, user = server.mint("ann"), UserId("ann")
    link = await stopped_client(server.url, token)

    async def fill_and_type():
        for number in range(80):
            data = {"post_id": number, "message": "x" * EVENT_BYTES}
            await server.service.activity.publish(NS, "publish_success", [user], data)
            if server.service.engine.stats.get("dropped:ephemeral"):
                break
            for _ in range(30):
                server.service.bus.publish_ephemeral(user, NS, "user_online", {"note": "y" * 1_000})

    await asyncio.to_thread(lambda: server.call(fill_and_type()))

    assert 0 < server.service.engine.stats["dropped:ephemeral"]
    assert 0 == server.service.engine.stats.get("closed:slow", 0)

    link.close()
    await eventually(lambda: not server.service.realtime.stats["streams"])
