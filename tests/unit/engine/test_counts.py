"""What the engine counts for whoever shows it."""

import pytest

from tests.unit.engine.clients import Client, settle
from tocsin.engine import Limits, SocketServer


@pytest.fixture
def server():
    server = SocketServer(limits=Limits(queue_packets=4))
    server.on_connect("/")(lambda socket, auth: socket.join(auth.get("room", "all")))
    server.on("echo")(lambda socket, data: data)
    return server


async def test_events_count_one_a_socket(server):
    """By namespace, what went out to whom and what came in."""
    clients = [Client(server).say("40{}") for _ in range(3)]
    for client in clients:
        await client.said()
    server.emit("x", 1)
    next(iter(server.namespaces["/"].sockets)).emit("y")
    clients[0].say('42["echo",1]')
    await settle()

    assert (1, 4) == (server.namespaces["/"].received, server.namespaces["/"].sent)


async def test_a_census_tells_who_is_stalled(server):
    """By transport: sessions, those that take nothing now, and the bytes that wait for them."""
    client = Client(server).say("40{}")
    await client.said()
    client.tcp.protocol.pause_writing()
    server.emit("x", "long" * 10)
    server.emit("x", "long" * 10)
    await settle()
    sessions, stalled, queued = server.census()["websocket"]

    assert (1, 1) == (sessions, stalled)
    assert queued > 80
    assert (0, 0, 0) == server.census()["polling"]
