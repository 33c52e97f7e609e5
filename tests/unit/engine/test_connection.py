"""Connecting to namespaces and leaving them."""

import asyncio

import pytest

from tests.unit.engine.clients import Client, connected, settle
from tocsin.engine import ConnectRefused, Limits, SocketServer


@pytest.fixture
def server():
    return SocketServer()


@pytest.fixture
def log(server):
    """Record disconnects and closes."""
    entries = []
    server.on_disconnect("/")(lambda socket, reason: entries.append(("disconnect", socket.connected, reason)))
    server.on_connection_closed(lambda connection, reason: entries.append(("closed", reason)))
    return entries


async def test_connect_comes_first(server):
    """Whatever a handler sends before CONNECT is answered follows it, then what on_ready sends."""

    @server.on_connect("/")
    async def connect(socket, auth):
        socket.join("room")
        socket.emit("early", auth)
        await asyncio.sleep(0)
        server.emit("to room", room="room")

    server.on_ready("/")(lambda socket: socket.emit("ready"))
    heard = await Client(server).say('40{"a":1}').said()

    assert heard[0].startswith('40{"sid":')
    assert ['42["early",{"a":1}]', '42["to room"]', '42["ready"]'] == heard[1:]


async def test_a_refusal_says_why(server, log):
    """CONNECT_ERROR carries message and data; nobody is told of a disconnect."""

    @server.on_connect("/")
    def connect(socket, auth):
        socket.join("room")
        socket.emit("never")
        raise ConnectRefused("no", {"code": "x"})

    client = Client(server).say("40")

    assert ['44{"message":"no","data":{"code":"x"}}'] == await client.said()
    assert 0 == len(server.room("/", "room"))
    client.connection.close()
    assert [("closed", "forced close")] == log


async def test_a_failing_connect_handler_tells_nothing(server, caplog):
    """The client learns "Internal error", the log the traceback."""

    @server.on_connect("/")
    def connect(socket, auth):
        raise RuntimeError("a secret")

    heard = await Client(server).say("40").said()

    assert "Internal error" in heard[0]
    assert "a secret" not in heard[0]
    assert "a secret" in caplog.text


async def test_unknown_namespaces_are_refused(server):
    """With the message of the reference server; a name in the registry connects."""
    server.add_namespace("/known")
    client = Client(server)

    assert ['44/random,{"message":"Invalid namespace"}'] == await client.say("40/random").said()
    assert (await client.say("40/known").said())[0].startswith('40/known,{"sid":')


@pytest.mark.parametrize("name", ["chat", "", "/a,b", "/a?b"])
def test_bad_namespace_names_are_refused(server, name):
    """What could not be told from the rest of a packet is no name."""
    with pytest.raises(ValueError, match="not a namespace"):
        server.add_namespace(name)


async def test_a_second_connect_closes(server, log):
    """One CONNECT a namespace, also while the first is being decided."""
    hold = asyncio.Event()

    @server.on_connect("/slow")
    async def connect(socket, auth):
        await hold.wait()

    server.add_namespace("/")
    twice = await connected(server, "40")
    pending = Client(server).say("40/slow,", "40/slow,")

    assert twice.connection.closed
    assert pending.connection.closed
    hold.set()
    await settle()


@pytest.mark.parametrize("packet", ['42["x"]', '421["x"]', "43[1]", "44{}", '42["connect"]', "45[]", "4"])
async def test_before_connect_nothing_is_legal(server, packet):
    """A packet for a namespace that was never connected closes."""
    server.on("x")(lambda socket: None)

    assert Client(server).say(packet).connection.closed


async def test_disconnect_is_told_once(server, log):
    """By the client, by the server, by the end of the connection: one call each."""
    by_client = await connected(server)
    by_client.say("41")
    assert not by_client.connection.closed
    by_client.connection.close()
    by_server = await connected(server)
    by_server.socket.disconnect()
    by_server.connection.close()
    by_loss = await connected(server)
    by_loss.tcp.protocol.connection_lost(None)
    by_loss.connection.close()

    assert [
        ("disconnect", False, "client namespace disconnect"),
        ("closed", "forced close"),
        ("disconnect", False, "server namespace disconnect"),
        ("closed", "forced close"),
        ("disconnect", False, "transport close"),
        ("closed", "transport close"),
    ] == log


async def test_a_server_disconnect_is_a_packet(server):
    """The client gets 41; its events that were on the way are ignored."""
    server.on("x")(lambda socket: None)
    client = await connected(server)
    client.socket.disconnect()

    assert ["41"] == await client.say('421["x"]').said()
    assert not client.connection.closed


async def test_one_can_come_back_after_leaving(server, log):
    """A namespace that was left can be connected again, as a new socket."""
    client = await connected(server)
    first = client.socket
    await client.say("41", "40").said()

    assert first is not client.socket
    assert client.socket.connected


async def test_gone_while_connecting(server, log):
    """Who leaves before on_connect returns is not connected, and on_disconnect undoes it."""
    hold = asyncio.Event()

    @server.on_connect("/")
    async def connect(socket, auth):
        await hold.wait()
        socket.join("room")

    client = Client(server).say("40")
    await settle()
    client.connection.close("slow")
    assert [("closed", "slow")] == log
    hold.set()
    await settle()

    assert ("disconnect", False, "slow") == log[-1]
    assert 0 == len(server.room("/", "room"))
    assert {} == server.namespaces["/"].sockets


async def test_cut_by_its_own_answer(server, log, monkeypatch):
    """Whose queue the answer to CONNECT overflows was never connected, and on_disconnect undoes what was set up."""
    server.on_connect("/")(lambda socket, auth: socket.join("room"))
    server.on_ready("/")(lambda socket: log.append("ready"))
    client = Client(server)
    monkeypatch.setattr(client.connection.transport.__class__, "send", lambda *_: client.connection.abort("slow"))
    client.say("40")

    assert [("closed", "slow"), ("disconnect", False, "slow")] == log
    assert 0 == len(server.room("/", "room"))
    assert {} == server.namespaces["/"].sockets


async def test_leaving_fans_out_to_nobody(server):
    """After the end neither rooms nor the namespace hold the socket, and sending says so."""
    server.on_connect("/")(lambda socket, auth: socket.join("room"))
    client = await connected(server)
    socket = client.socket
    assert ("room",) == tuple(socket.rooms)
    client.connection.close()
    socket.join("room")

    assert 0 == server.emit("x", room="room")
    assert not socket.emit("x")
    assert {} == client.connection.sockets


async def test_namespaces_are_bounded():
    """One more than allowed closes."""
    server = SocketServer(limits=Limits(max_namespaces=2))
    for n in range(3):
        server.add_namespace(f"/{n}")
    client = Client(server).say("40/0,", "40/1,")
    await settle()
    assert 2 == len(client.connection.sockets)

    assert client.say("40/2,").connection.closed


async def test_data_of_the_application_survives(server):
    """Socket and connection each keep one object for the application."""

    @server.on_connect("/")
    def connect(socket, auth):
        socket.data = "socket's"
        socket.connection.data = "connection's"

    client = await connected(server)

    assert ("socket's", "connection's") == (client.socket.data, client.connection.data)
    assert client.socket is client.connection.sockets["/"]
