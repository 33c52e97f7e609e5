"""What one client may do: connect, events, acks, attachments, disconnect."""

import asyncio
import logging

import orjson
import pytest

from tests.unit.engine.fakes import FakeTcp, server_frames, texts
from tocsin.engine import ConnectRefused, EventRefused, Limits, SocketServer, TooManyCalls
from tocsin.engine.websocket import WebSocketTransport


class Client:
    """A client in memory; ``said`` is what it got since it last asked."""

    def __init__(self, server):
        server.bind()
        self.server = server
        self.tcp = FakeTcp()
        self.connection, _ = server.open("203.0.113.5", ())
        transport = WebSocketTransport(server, self.connection, connections=set())
        self.tcp.protocol = transport
        transport.connection_made(self.tcp)
        self.connection.start(transport)

    def say(self, *packets):
        for packet in packets:
            self.connection.packet_received(packet)
        return self

    async def said(self):
        await settle()
        heard = texts(self.tcp.sent)
        self.tcp.writes.clear()
        return heard

    @property
    def socket(self):
        return self.connection._sockets[0]


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def connected(server, *packets):
    client = Client(server).say("40", *packets)
    await client.said()
    return client


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


@pytest.mark.parametrize(
    "name", ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
)
async def test_reserved_events_never_reach_a_handler(server, name):
    """They can't be registered, and from the wire they close."""
    with pytest.raises(ValueError, match="reserved"):
        server.on(name)
    server.add_namespace("/")
    client = await connected(server, f'42["{name}","x"]')

    assert client.connection.closed


@pytest.mark.parametrize(
    ("result", "ack"),
    [(None, "[]"), (1, "[1]"), ((1, 2), "[1,2]"), ([1, 2], "[[1,2]]"), ({"a": None}, '[{"a":null}]'), ((), "[]")],
)
async def test_a_result_is_acked(server, result, ack):
    """Nothing, one value, or the items of a tuple; the same for sync and async."""
    server.on("sync")(lambda socket: result)

    @server.on("async")
    async def handler(socket):
        await asyncio.sleep(0)
        return result

    client = await connected(server, '421["sync"]', '422["async"]')
    client.say('423["sync"]', '424["async"]', '42["sync"]')

    assert [f"433{ack}", f"434{ack}"] == await client.said()


@pytest.mark.parametrize("namespace", ["/", "/chat"])
async def test_ids_of_any_length_are_echoed(server, namespace):
    """From 0 to 2^53; anything that is no such number closes."""
    server.on("x", namespace)(lambda socket: None)
    server.add_namespace("/")
    prefix = "" if namespace == "/" else f"{namespace},"
    client = Client(server).say(f"40{prefix}")
    await client.said()
    for id_ in ("0", "7", "9007199254740992"):
        assert [f"43{prefix}{id_}[]"] == await client.say(f'42{prefix}{id_}["x"]').said()

    assert client.say(f'42{prefix}01["x"]').connection.closed


@pytest.mark.parametrize(
    "packet", ['42+1["x"]', '4212345678901234567["x"]', '42²["x"]', '42/chat["x"]', '42["x"', '42["x"] x']
)
async def test_nearly_an_event_closes(server, packet):
    """The short way takes nothing that the strict one would not."""
    calls = []
    server.on("x")(lambda socket: calls.append("x"))

    assert (await connected(server, packet)).connection.closed
    assert [] == calls


async def test_deep_payloads_close(server):
    """The bound on depth holds on the short way as well."""
    server.on("x")(lambda socket, value: None)
    client = await connected(server, '42["x",' + "[" * 60 + "]" * 60 + "]")
    assert not client.connection.closed

    assert client.say('42["x",' + "[" * 70 + "]" * 70 + "]").connection.closed


async def test_refused_and_failed_events(server, caplog):
    """A refusal acks its problem, a failure a generic one; the connection survives both."""

    @server.on("refused")
    def refused(socket):
        raise EventRefused({"ok": False, "code": "no"})

    @server.on("failed")
    async def failed(socket):
        raise RuntimeError("a secret")

    client = await connected(server)
    with caplog.at_level(logging.ERROR):
        heard = await client.say('421["refused"]', '422["failed"]').said()

    assert '431[{"ok":false,"code":"no"}]' == heard[0]
    assert {"ok": False, "code": "internal_error"}.items() <= orjson.loads(heard[1][3:])[0].items()
    assert "a secret" not in heard[1]
    assert "a secret" in caplog.text
    assert not client.connection.closed


async def test_a_result_without_json_form_is_a_failure(server):
    """The client gets the generic problem instead of silence."""
    server.on("x")(lambda socket: object())
    client = await connected(server)

    assert '"internal_error"' in (await client.say('421["x"]').said())[0]


@pytest.mark.parametrize(
    ("packet", "code"), [('421["nobody"]', "unknown_event"), ('421["x"]', "invalid"), ('421["x",1,2,3]', "invalid")]
)
async def test_events_that_cannot_be_called(server, packet, code):
    """Unknown names and wrong numbers of arguments are acked, and run nothing."""
    server.on("x")(lambda socket, a, b=None: None)
    client = await connected(server)

    assert f'"code":"{code}"' in (await client.say(packet).said())[0]
    assert [] == await client.say(packet.replace("421", "42")).said()
    assert not client.connection.closed


async def test_events_start_in_order(server):
    """A sync handler does not overtake an async one that came before."""
    started = []

    @server.on("async")
    async def slow(socket, n):
        started.append(n)
        await asyncio.sleep(0)

    server.on("sync")(lambda socket, n: started.append(n))
    client = await connected(server)
    client.say('42["async",1]', '42["sync",2]', '42["async",3]', '42["sync",4]')
    await settle()
    client.say('42["sync",5]')

    assert [1, 2, 3, 4, 5] == started


async def test_many_handlers_pause_reading():
    """Beyond the bound in flight nothing more is read until one ends."""
    server = SocketServer(limits=Limits(handlers_in_flight=2))
    hold = asyncio.Event()

    @server.on("x")
    async def handler(socket):
        await hold.wait()

    client = await connected(server)
    client.say('42["x"]', '42["x"]')
    assert not client.tcp.is_reading
    hold.set()
    await settle()

    assert client.tcp.is_reading


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


async def test_a_flood_of_events_is_refused_then_closed():
    """Beyond the rate: acked rate_limited; persistence closes."""
    server = SocketServer(limits=Limits(events_per_s=0.001, events_burst=3, max_refused_events=5))
    server.on("x")(lambda socket: None)
    client = await connected(server)
    client.say('421["x"]', '422["x"]', '423["x"]')

    heard = await client.said()
    assert ["431[]", "432[]"] == heard[:2]
    assert heard[2].startswith('433[{"ok":false')
    assert '"rate_limited"' in heard[2]
    client.say(*['42["x"]'] * 5)
    assert client.connection.closed


async def test_namespaces_are_bounded():
    """One more than allowed closes."""
    server = SocketServer(limits=Limits(max_namespaces=2))
    for n in range(3):
        server.add_namespace(f"/{n}")
    client = Client(server).say("40/0,", "40/1,")
    await settle()
    assert 2 == len(client.connection.sockets)

    assert client.say("40/2,").connection.closed


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


async def test_a_call_does_not_wait_for_ever(server):
    """Without an answer in time it raises, and forgets the id."""
    server.add_namespace("/")
    client = await connected(server)
    with pytest.raises(TimeoutError):
        await client.socket.call("ask", timeout_s=0.01)

    assert not client.socket.expects(1)


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


async def test_data_of_the_application_survives(server):
    """Socket and connection each keep one object for the application."""

    @server.on_connect("/")
    def connect(socket, auth):
        socket.data = "socket's"
        socket.connection.data = "connection's"

    client = await connected(server)

    assert ("socket's", "connection's") == (client.socket.data, client.connection.data)
    assert client.socket is client.connection.sockets["/"]
