"""
What the hot paths cost, in calls: the same on every machine, however slow and busy.

A call is one of Python or C made by the engine's own code. Seconds are for the
bench; this tells whoever adds a loop or a call to each delivery that he did.
The bounds are what was counted and a tenth more: lower them when you can, and
raise one with a reason.
"""

import gc
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import tocsin.engine
from tests.unit.engine.clients import Client, settle
from tests.unit.engine.fakes import TEXT, client_frame, make_server, open_websocket
from tocsin.engine import SocketServer, session_ids

ENGINE = str(Path(tocsin.engine.__file__).parent)
CROWDS = (10, 1_000)
PAYLOAD = {"id": 7, "title": "Published", "message": "Your post is live on three platforms"}


class Calls:
    count = 0

    def __call__(self, frame, event, _):
        if event in {"call", "c_call"} and frame.f_code.co_filename.startswith(ENGINE):
            self.count += 1


@contextmanager
def counted():
    calls = Calls()
    gc.disable()
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        gc.enable()


async def fewest(act, *each):
    """Return the calls of what costs least of three: a clock that ticks meanwhile is nobody's cost."""
    counts = []
    for one in each:
        with counted() as calls:
            act(one)
            await settle()
        counts.append(calls.count)
    return min(counts)


@pytest.fixture(params=CROWDS, ids=[f"{crowd}_others" for crowd in CROWDS])
async def crowd(request):
    """Give a server with that many clients, each in a room of its own."""
    server = SocketServer()
    server.on_connect("/")(lambda socket, auth: socket.join(auth["room"]))
    server.on("echo")(lambda socket, data: data)
    clients = [Client(server).say(f'40{{"room":"user-{number}"}}') for number in range(request.param)]
    for client in clients:
        await client.said()
    return server, clients


async def test_an_emit_to_one_user_costs_the_same_among_many(crowd):
    """Neither the size of the server nor that of the namespace is in it."""
    server, clients = crowd
    with counted() as calls:
        server.emit("x", PAYLOAD, room="user-7")

    assert calls.count <= 18
    assert 1 == len(await clients[7].said())


async def test_a_broadcast_costs_a_few_calls_a_socket(crowd):
    """The event is made once; a recipient adds his write and what guards it."""
    server, clients = crowd
    with counted() as calls:
        server.broadcast("x", PAYLOAD)

    assert calls.count <= 3.3 * len(clients) + 10
    await settle()


async def test_a_burst_costs_less_a_delivery_than_one(crowd):
    """What one turn brings for a socket leaves in one write."""
    server, clients = crowd
    with counted() as calls:
        for _ in range(10):
            server.broadcast("x", PAYLOAD)
        await settle()

    assert calls.count <= 4.3 * 10 * len(clients) + 200


async def test_an_event_with_an_ack_costs_the_same_among_many(crowd):
    """Read from its frame, handled, and answered."""
    _, clients = crowd
    frame = client_frame(TEXT, '420["echo",{"n":1}]')

    assert 38 >= await fewest(lambda client: client.tcp.protocol.data_received(frame), *clients[7:10])
    assert ['430[{"n":1}]'] == await clients[7].said()


async def test_who_comes_costs_the_same_among_many(crowd):
    """The handshake of a client, from the open socket to the answered CONNECT."""
    server, _ = crowd
    while len(session_ids._unused) < 4:
        # They are made many at once, which is not to fall to this client.
        session_ids.session_id()
    came = []

    def come(room):
        came.append(Client(server))
        came[-1].say(f'40{{"room":"{room}"}}')

    assert 74 >= await fewest(come, "new", "newer", "newest")
    assert [1, 1, 1] == [len(await client.said()) for client in came]


async def test_who_goes_costs_the_same_among_many(crowd):
    """A session knows its rooms: nobody looks through all of them."""
    server, clients = crowd

    assert 21 >= await fewest(lambda client: client.tcp.protocol.connection_lost(None), *clients[7:10])
    assert 0 == server.emit("x", room="user-7")


@pytest.mark.parametrize("others", CROWDS)
def test_those_who_rest_cost_nothing(others):
    """One timer for all heartbeats: while nobody is due, nobody is looked at."""
    server, loop = make_server()
    for _ in range(others):
        open_websocket(server)
    loop.advance(1)
    with counted() as calls:
        loop.advance(1)

    assert calls.count <= 40
