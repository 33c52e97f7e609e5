"""Acks the other way round, and binary attachments."""

import asyncio
import gc

import pytest

from tests.unit.engine.clients import connected, settle
from tests.unit.engine.fakes import server_frames
from tocsin.engine import Limits, SocketServer, TooManyCalls


@pytest.fixture
def server():
    return SocketServer()


async def test_attachments_need_a_handler_that_takes_them(server):
    """Where no event takes binary the announcement alone closes."""
    server.on("plain")(lambda socket, value: None)
    client = await connected(server)

    assert client.say('451-["plain",{"_placeholder":true,"num":0}]').connection.closed


async def test_attachments_are_put_in_place(server):
    """A handler gets bytes where placeholders were, and can answer with bytes."""
    server.on("x", binary=True)(lambda socket, value: value["data"] + b"!")
    client = await connected(server)
    client.say('451-7["x",{"data":{"_placeholder":true,"num":0}}]', b"hello")
    await settle()

    assert [
        (1, b'4461-7[{"_placeholder":true,"num":0}]'[1:]),
        (2, b"hello!"),
    ] == server_frames(client.tcp.sent)


@pytest.mark.parametrize("packet", ['42["y"]', "41", "3more"])
async def test_nothing_comes_between_attachments(server, packet):
    """While attachments are due any other packet closes, except a pong."""
    server.on("x", binary=True)(lambda socket, value: None)
    client = await connected(server, '451-["x",{"_placeholder":true,"num":0}]', "3")
    assert not client.connection.closed

    assert client.say(packet).connection.closed


async def test_stray_attachments_close(server):
    """Binary that nobody announced closes."""
    server.add_namespace("/")

    assert (await connected(server, b"x")).connection.closed


async def test_a_call_gets_its_answer(server):
    """The client's ack is the result, arguments and bytes included."""
    server.add_namespace("/")
    client = await connected(server)
    call = asyncio.create_task(client.socket.call("ask", 1))
    [asked] = await client.said()
    id_ = asked[2 : asked.index("[")]
    assert f'42{id_}["ask",1]' == asked
    client.say(f'461-{id_}[{{"_placeholder":true,"num":0}},2]', b"x")

    assert [b"x", 2] == await call
    client.say(f"43{id_}[3]", "43999[1]")
    assert not client.connection.closed


async def test_a_call_ends_with_its_client(server):
    """Leaving fails the call; so does asking who has left."""
    server.add_namespace("/")
    client = await connected(server)
    socket = client.socket
    call = asyncio.create_task(socket.call("ask"))
    await settle()
    client.connection.close()

    with pytest.raises(ConnectionError, match="forced close"):
        await call
    with pytest.raises(ConnectionError, match="gone"):
        await socket.call("ask")


async def test_a_call_that_cuts_a_slow_client_leaves_no_error_behind():
    """It raises as if the client had been gone, and asyncio has nothing to complain of."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    server = SocketServer(limits=Limits(queue_packets=1))
    server.add_namespace("/")
    client = await connected(server)
    client.tcp.is_full = True
    client.socket.emit("fills the kernel's buffer")
    await settle()
    client.socket.emit("fills the queue")
    with pytest.raises(ConnectionError, match="gone"):
        await client.socket.call("ask")
    gc.collect()

    assert client.connection.closed
    assert [] == complaints


@pytest.mark.parametrize(
    "answer", [("43{}[2]",), ('461-{}[{{"_placeholder":true,"num":0}}]', b"x")], ids=["text", "binary"]
)
async def test_a_call_does_not_wait_for_ever(server, answer):
    """Without an answer in time it raises; one that comes late is ignored, and the connection goes on."""
    server.add_namespace("/")
    server.on("x")(lambda socket: "still here")
    client = await connected(server)
    with pytest.raises(TimeoutError):
        await client.socket.call("ask", timeout_s=0.01)
    [asked] = await client.said()
    id_ = asked[2 : asked.index("[")]
    client.say(answer[0].format(id_), *answer[1:], '421["x"]')

    assert ['431["still here"]'] == await client.said()


@pytest.mark.parametrize(
    "packets",
    [
        ('42["x"]',),
        ('451-["x",{"_placeholder":true,"num":0}]', b"x"),
        ('451-7["x",{"_placeholder":true,"num":0}]', b"x"),
        ('461-1[{"_placeholder":true,"num":0}]', b"x"),
    ],
)
async def test_what_crosses_a_disconnect_of_the_server_is_dropped(server, packets):
    """A client that has not read yet that it is off a namespace keeps its others."""
    called = []
    server.on("x", binary=True)(lambda socket, *args: called.append(args))
    server.add_namespace("/other")
    client = await connected(server, "40/other,")
    client.socket.disconnect()
    client.say(*packets)

    assert not client.connection.closed
    assert ["41"] == await client.said()
    assert [] == called


async def test_calls_are_bounded():
    """So many calls wait for one client, and no more."""
    server = SocketServer(limits=Limits(pending_acks=1))
    server.add_namespace("/")
    client = await connected(server)
    call = asyncio.create_task(client.socket.call("ask"))
    await settle()
    with pytest.raises(TooManyCalls):
        await client.socket.call("ask")

    client.connection.close()
    with pytest.raises(ConnectionError):
        await call
