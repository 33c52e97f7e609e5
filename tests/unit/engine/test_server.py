"""Registration, fan-out, and the end of a server."""

import asyncio
import doctest

import pytest

from tests.unit.engine.clients import Client, connected, settle
from tests.unit.engine.fakes import TEXT, client_frame, texts
from tocsin.engine import SocketServer, encode_event_json
from tocsin.engine import server as server_module


@pytest.fixture
def server():
    made = SocketServer()
    made.on_connect("/")(lambda socket, auth: [socket.join(room) for room in auth.get("rooms", ())])
    return made


async def member(server, *rooms):
    quoted = ",".join(f'"{room}"' for room in rooms)
    client = Client(server).say(f'40{{"rooms":[{quoted}]}}')
    await client.said()
    return client


def test_the_example_of_the_docstring_runs():
    """The ten lines that users copy work."""
    results = doctest.testmod(server_module, raise_on_error=True)

    assert 0 == results.failed
    assert 5 <= results.attempted


async def test_a_room_gets_what_is_emitted_to_it(server):
    """Members get it once, others and the skipped one don't; the count is right."""
    ann, bob, eve = await member(server, "r"), await member(server, "r", "s"), await member(server, "s")

    assert 2 == server.emit("x", {"n": 1}, room="r")
    assert 1 == server.emit("y", room="r", skip=ann.socket)
    assert 0 == server.emit("z", room="nobody")
    assert ['42["x",{"n":1}]'] == await ann.said()
    assert ['42["x",{"n":1}]', '42["y"]'] == await bob.said()
    assert [] == await eve.said()


async def test_everybody_gets_a_broadcast(server):
    """On its namespace, and nowhere else."""
    server.add_namespace("/other")
    clients = [await member(server) for _ in range(20)]
    clients[0].say("40/other,")
    await clients[0].said()

    assert 20 == server.broadcast("x")
    assert 1 == server.emit("y", namespace="/other")
    assert ['42["x"]', '42/other,["y"]'] == await clients[0].said()
    assert ['42["x"]'] == await clients[19].said()


async def test_an_encoded_packet_is_shared(server):
    """Every recipient is written the same bytes object's content, encoded once."""
    clients = [await member(server, "r") for _ in range(3)]
    packet = encode_event_json("/", "x", b'{"n":1}')

    assert 3 == server.send(packet, "/", "r")
    assert {packet.frame} == {client.tcp.sent for client in clients}


async def test_big_rooms_cost_one_write_a_client(server):
    """Ten emits of one turn to a big room leave in one write each, in order."""
    clients = [await member(server, "r") for _ in range(40)]
    for n in range(10):
        assert 40 == server.emit("x", n, room="r")
    server.emit("last", room="r", skip=clients[0].socket)
    await settle()

    assert {1} == {len(client.tcp.writes) for client in clients}
    assert [f'42["x",{n}]' for n in range(10)] == texts(clients[0].tcp.sent)
    assert '42["last"]' == texts(clients[39].tcp.sent)[-1]


async def test_a_slow_member_delays_nobody(server):
    """A member that is cut in the middle of a fan-out does not disturb the rest."""
    clients = [await member(server, "r") for _ in range(20)]
    clients[3].tcp.is_full = True
    for n in range(300):
        server.emit("x", n, room="r")
        await asyncio.sleep(0)

    assert clients[3].connection.closed
    assert 19 == len(server.room("/", "r"))
    assert [f'42["x",{n}]' for n in range(300)] == await clients[4].said()


async def test_rooms_can_be_asked(server):
    """Membership is visible, empty for a room that isn't."""
    ann = await member(server, "r")

    assert [ann.socket] == list(server.room("/", "r"))
    assert ann.socket in server.room("/", "r")
    assert 0 == len(server.room("/", "s"))
    with pytest.raises(KeyError):
        server.room("/unknown", "r")


async def test_leaving_a_room(server):
    """Who has left hears nothing more."""
    ann = await member(server, "r")
    ann.socket.leave("r")
    ann.socket.leave("r")

    assert 0 == server.emit("x", room="r")
    assert () == tuple(ann.socket.rooms)


async def test_close_ends_every_connection(server):
    """Transports close, without DISCONNECT, and new clients are refused."""
    clients = [await member(server) for _ in range(5)]
    await server.close()

    assert all(client.connection.closed for client in clients)
    assert all([] == texts(client.tcp.sent) for client in clients)
    assert server.refuse_new
    assert 0 == server.stats["connections"]
    assert 5 == server.stats["closed:server shutting down"]


async def test_close_can_be_spread(server):
    """Over a window the connections end one after another."""
    clients = [await member(server) for _ in range(4)]
    task = asyncio.create_task(server.close(spread_s=0.2))
    open_counts = set()
    while not task.done():
        open_counts.add(sum(not client.connection.closed for client in clients))
        await asyncio.sleep(0.005)

    assert {3, 2, 1} <= open_counts
    assert 0 == len(server.sessions)


async def test_close_answers_what_is_in_flight(server):
    """An ack that was asked for before the end is given, what is asked after it is not taken."""
    hold = asyncio.Event()
    taken = []

    @server.on("x")
    async def handler(socket, number):
        taken.append(number)
        await hold.wait()
        return number

    client = await connected(server, '421["x",7]')
    idle = await connected(server)
    closing = asyncio.create_task(server.close(grace_s=20))
    await settle()
    client.tcp.protocol.data_received(client_frame(TEXT, '422["x",8]'))
    assert idle.connection.closed
    assert not client.connection.closed
    hold.set()
    await closing

    assert ["431[7]"] == await client.said()
    assert [7] == taken
    assert client.connection.closed


async def test_close_waits_no_longer_than_it_may(server):
    """A handler that hangs does not hold a shutdown up."""

    @server.on("x")
    async def handler(socket):
        await asyncio.Event().wait()

    client = await connected(server, '421["x"]')
    await server.close(grace_s=0.05)

    assert client.connection.closed


async def test_running_handlers_can_be_waited_for(server):
    """finish_handlers tells whether all ended in time."""
    hold = asyncio.Event()

    @server.on("x")
    async def handler(socket):
        await hold.wait()

    assert await server.finish_handlers(0.01)
    client = await connected(server, '421["x"]')
    assert not await server.finish_handlers(0.01)
    hold.set()

    assert await server.finish_handlers(5)
    assert ["431[]"] == await client.said()


async def test_a_failing_disconnect_handler_is_logged(server, caplog):
    """What it raises reaches the log and nothing else."""

    @server.on_disconnect("/")
    def sync(socket, reason):
        raise RuntimeError("sync")

    @server.on_connection_closed
    async def closed(connection, reason):
        raise RuntimeError("async")

    client = await member(server)
    client.connection.close()
    await settle()

    assert ["A handler failed"] * 2 == [record.message for record in caplog.records]


async def test_handlers_may_be_objects(server):
    """A callable object with an async __call__ is awaited like a function."""

    class Handler:
        async def __call__(self, socket, value):
            await asyncio.sleep(0)
            return value

    server.on("x")(Handler())
    client = await connected(server)

    assert ["431[5]"] == await client.say('421["x",5]').said()
