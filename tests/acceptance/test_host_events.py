"""Events of the host's own, over real sockets: whoever connects, whatever comes, whatever the handler does."""

import asyncio
import itertools
import threading
import time
from contextlib import asynccontextmanager

import pytest

from tests.acceptance.stock_clients import TRANSPORTS, stock_client
from tests.acceptance.wire_socket import Refused, connected, eventually, wire
from tocsin.domain.errors import Conflict, Invalid
from tocsin.domain.stream import EventDraft
from tocsin.domain.user_id import UserId

GAME = "/game"
DEADLINE_S = 20.0
_numbers = itertools.count(1000)


@pytest.fixture
def user():
    """A user of the test's own."""
    return next(_numbers)


@pytest.fixture
def event():
    """An event name that no other test of the module has registered."""
    return f"event-{next(_numbers)}"


class Gate:
    """A sync handler that tells when it has begun and waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.ended: list[object] = []
        self.open = threading.Event()

    def __call__(self, user_id, data):
        self.begun.append(data)
        assert self.open.wait(DEADLINE_S)
        self.ended.append(data)
        return {"data": data}


@asynccontextmanager
async def joined(server, user, *namespaces):
    """Open a connection with namespaces of the host."""
    async with wire(server.url) as socket:
        for namespace in namespaces or (GAME,):
            await socket.connect(namespace, {"token": server.mint(user)})
        yield socket


# Who connects


@pytest.mark.parametrize("kind", ["4.8", "4.5", "python"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_stock_clients_use_the_hosts_namespaces(shared_server, kind, transport, user, event):
    """``/`` and a named one, beside those of the server, over one connection: acks and live events arrive."""
    service = shared_server.service
    service.on(event)(lambda user_id, data: {"user": user_id, "got": data})

    @service.on(event, namespace=GAME)
    async def on_event(data):
        return data

    async with stock_client(kind) as client:
        namespaces = ["/", GAME, "/sns"]
        await client.open(shared_server.url, namespaces, TRANSPORTS[transport], {"token": shared_server.mint(user)})
        root = await client.ask("/", event, {"text": "안녕 🔔"})
        game = await client.ask(GAME, event, ["a", 1])
        binary = await client.ask_binary(GAME, event)
        for namespace in ("/", GAME):
            await asyncio.to_thread(emit, shared_server, user, namespace, "joke", {"where": namespace})
        jokes = [await client.next(namespace, "joke") for namespace in ("/", GAME)]

    assert {"ok": True, "user": user, "got": {"text": "안녕 🔔"}} == root
    assert {"ok": True, "result": ["a", 1]} == game
    assert "binary_not_accepted" == binary["code"]
    assert [[{"where": "/"}], [{"where": GAME}]] == jokes


def emit(server, user, namespace, event, data):
    async def publish():
        server.service.bus.publish_ephemeral(None if user is None else UserId(str(user)), namespace, event, data)

    server.call(publish())


async def test_every_namespace_needs_a_token(shared_server, user, event):
    """Without one, with a wrong one or with another user's CONNECT is refused with a problem."""
    shared_server.service.on(event, namespace=GAME)(lambda: None)
    async with wire(shared_server.url) as socket:
        for auth in (None, {}, {"token": "nonsense"}, {"token": shared_server.mint(user, ttl_s=-60)}):
            with pytest.raises(Refused) as refusal:
                await socket.connect(GAME, auth)
            assert "unauthenticated" == refusal.value.data["code"]
    async with connected(shared_server.url, "/chat", shared_server.mint(user)) as socket:
        with pytest.raises(Refused) as refusal:
            await socket.connect(GAME, {"token": shared_server.mint(next(_numbers))})

    assert "forbidden" == refusal.value.data["code"]


async def test_a_namespace_that_nobody_registered_is_refused(shared_server, user):
    """As by any Socket.IO server; also where a handler could not be registered."""
    with pytest.raises(Invalid):
        shared_server.service.on("ack", namespace="/nobody")(lambda: None)
    async with wire(shared_server.url) as socket:
        with pytest.raises(Refused) as refusal:
            await socket.connect("/nobody", {"token": shared_server.mint(user)})

    assert "Invalid namespace" == refusal.value.message


async def test_handlers_may_come_after_the_clients(shared_server, user, event):
    """A connected client's next event, and its next namespace, find what was registered meanwhile."""
    place = f"/{event}"
    async with connected(shared_server.url, "/orders", shared_server.mint(user)) as socket:
        assert "unknown_event" == (await socket.ask("/orders", event))["code"]
        shared_server.service.on(event, namespace="/orders")(lambda: "now")
        assert {"ok": True, "result": "now"} == await socket.ask("/orders", event)
        with pytest.raises(Refused):
            await socket.connect(place, {"token": shared_server.mint(user)})
        shared_server.service.on(event, namespace=place)(lambda: "here")
        await socket.connect(place, {"token": shared_server.mint(user)})
        assert {"ok": True, "result": "here"} == await socket.ask(place, event)


async def test_a_namespace_of_the_host_has_no_stream(shared_server, user, event):
    """No ``synced`` comes, a cursor is not looked at, and what asks for a stream is unknown."""
    shared_server.service.on(event, namespace=GAME)(lambda: None)
    async with wire(shared_server.url) as socket:
        await socket.connect(GAME, {"token": shared_server.mint(user), "epoch": 5, "last_seq": "nonsense"})
        acks = [await socket.ask(GAME, name, {"seq": 0}) for name in ("ack", "replay")]

        assert ["unknown_event"] * 2 == [ack["code"] for ack in acks]
        assert [] == socket.untaken(GAME)


async def test_the_token_ends_and_is_renewed_there_too(shared_server, user, event):
    """``auth_expiring`` is told on it, ``reauth`` prolongs, ``auth_expired`` comes before the end."""
    shared_server.service.on(event, namespace=GAME)(lambda: None)
    async with wire(shared_server.url) as socket, wire(shared_server.url) as late:
        await socket.connect(GAME, {"token": shared_server.mint(user, ttl_s=2)})
        await late.connect(GAME, {"token": shared_server.mint(user, ttl_s=2)})
        expiring = await socket.payload(GAME, "auth_expiring")
        refused = await socket.ask(GAME, "reauth", {"token": shared_server.mint(next(_numbers))})
        renewed = await socket.ask(GAME, "reauth", {"token": shared_server.mint(user)})
        expired = await late.payload(GAME, "auth_expired")
        await late.closed.wait()
        assert {"ok": True} == await socket.ask(GAME, event)

    assert expiring == expired
    assert "forbidden" == refused["code"]
    assert renewed["expires_at"] > expired["expires_at"]


# What reaches whom


async def test_live_events_reach_their_user_or_everybody(shared_server, event):
    """A user's room on the host's namespace is the user's alone."""
    shared_server.service.on(event, namespace=GAME)(lambda: None)
    ann, bob = next(_numbers), next(_numbers)
    async with (
        joined(shared_server, ann) as one,
        joined(shared_server, ann) as two,
        joined(shared_server, bob) as other,
    ):
        await asyncio.to_thread(emit, shared_server, ann, GAME, "joke", {"n": 1})
        await asyncio.to_thread(emit, shared_server, None, GAME, "joke", {"n": 2})
        await asyncio.to_thread(emit, shared_server, None, "/nobody", "joke", {"n": 3})
        heard = [[await socket.next(GAME) for _ in range(2)] for socket in (one, two)]
        theirs = await other.next(GAME)

        assert [[("joke", {"n": 1}), ("joke", {"n": 2})]] * 2 == heard
        assert ("joke", {"n": 2}) == theirs
        assert [] == other.untaken(GAME)


# What comes


async def test_the_user_is_the_tokens_whatever_the_client_sends(shared_server, user, event):
    """An id in the data is data, and no further argument takes the user's place."""
    seen = []
    shared_server.service.on(event, namespace=GAME)(lambda user_id, data: seen.append((user_id, data)))
    async with joined(shared_server, user) as socket:
        assert {"ok": True} == await socket.ask(GAME, event, {"user_id": 1})
        assert "invalid" == (await socket.ask(GAME, event, 1, {"user_id": 1}))["code"]

    assert [(user, {"user_id": 1})] == seen


@pytest.mark.parametrize(
    ("handler", "wrong"),
    [
        (lambda: None, [(1, 2)]),
        (lambda data: None, [(), (1, 2)]),
        (lambda user_id, data: None, [(), (1, 2), (1, 2, 3)]),
        (lambda user_id, first, second=None: None, [(), (1, 2, 3)]),
    ],
)
async def test_malformed_arguments_are_refused(shared_server, user, event, handler, wrong):
    """Too few or too many are ``invalid``; the handler is not called and the connection stays."""
    shared_server.service.on(event, namespace=GAME)(handler)
    async with joined(shared_server, user) as socket:
        for args in wrong:
            ack = await socket.ask(GAME, event, *args)
            assert (False, "invalid", 422) == (ack["ok"], ack["code"], ack["status"])
        assert "unknown_event" == (await socket.ask(GAME, "nonsense"))["code"]


async def test_publish_start_keeps_its_strict_arguments(server, user):
    """The host's handler gets what has been checked, in the form that its signature asks for."""
    server.service.on("publish_start", namespace="/sns")(lambda data: data)
    request = {"post_id": 1, "platforms": ["x"]}
    async with connected(server.url, "/sns", server.mint(user)) as socket:
        assert {"ok": True, **request} == await socket.ask("/sns", "publish_start", request)
        for wrong in ({}, {"post_id": 1}, {**request, "user_id": 2}, [request], "x", None):
            assert "invalid" == (await socket.ask("/sns", "publish_start", wrong))["code"]


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("/chat", "send_message"),
        ("/chat", "typing"),
        ("/notifications", "mark_read"),
        ("/notifications", "delete"),
        *((place, name) for place in ("/sns", "/", GAME) for name in ("ack", "replay", "watch", "reauth")),
        *((place, name) for place in ("/sns", "/") for name in ("connect", "disconnect", "connect_error")),
        ("/", ""),
        ("/", "x" * 200),
        ("game", "roll"),
        ("/game,", "roll"),
    ],
)
def test_reserved_names_are_refused_at_registration(shared_server, namespace, name):
    """What the server or Socket.IO takes itself can't be replaced; the refusal is one line."""
    with pytest.raises(Invalid) as refusal:
        shared_server.service.on(name, namespace=namespace)(lambda: None)

    assert "\n" not in str(refusal.value)


async def test_a_second_handler_for_an_event_is_refused(shared_server, user, event):
    """The first stays."""
    shared_server.service.on(event, namespace=GAME)(lambda: "first")
    with pytest.raises(Invalid, match="has one handler"):
        shared_server.service.on(event, namespace=GAME)(lambda: "second")
    async with joined(shared_server, user) as socket:
        assert "first" == (await socket.ask(GAME, event))["result"]


# What the handler does


async def test_what_a_handler_raises_or_returns_wrongly_is_a_problem(shared_server, user, event, caplog):
    """A TocsinError is told as it is; anything else is logged and told in general."""

    def on_event(data):
        if data == "conflict":
            raise Conflict("the game is over")
        if data == "crash":
            raise RuntimeError("database password")
        if data == "exit":
            raise SystemExit(1)
        return {"bytes": b"\x00", "object": object(), "refused": {"ok": False}}[data]

    shared_server.service.on(event, namespace=GAME)(on_event)

    @shared_server.service.on(f"{event}-async", namespace=GAME)
    async def on_event_async(data):
        return on_event(data)

    async with joined(shared_server, user) as socket:
        for name in (event, f"{event}-async"):
            conflict = await socket.ask(GAME, name, "conflict")
            assert (False, "conflict", "the game is over") == (conflict["ok"], conflict["code"], conflict["detail"])
            for wrong in ("crash", "exit", "bytes", "object", "refused"):
                ack = await socket.ask(GAME, name, wrong)
                assert (False, "internal_error", 500) == (ack["ok"], ack["code"], ack["status"])
                assert "password" not in str(ack)

    assert "database password" in caplog.text
    assert "raise a TocsinError to refuse an event" in caplog.text


async def test_events_of_a_socket_are_handled_in_order_and_each_once(shared_server, user, event):
    """Sync handlers of one socket run one after another, however many come; twice sent is twice handled."""
    seen, at_once = [], []

    @shared_server.service.on(event, namespace=GAME)
    def on_event(data):
        at_once.append(data)
        time.sleep(0)
        seen.append(data)
        assert [data] == at_once
        at_once.clear()
        return data

    sent = [0, 0, *range(500)]
    async with joined(shared_server, user) as socket:
        acks = await asyncio.gather(*(socket.ask(GAME, event, number) for number in sent))

    assert sent == seen == [ack["result"] for ack in acks]


async def test_a_handler_that_hangs_blocks_nobody_else(shared_server, user, event):
    """Not other users, nor the socket's async and built-in events; its own sync ones wait."""
    gate, chat = Gate(), {"to_user_id": 1, "is_typing": True}
    shared_server.service.on(event, namespace=GAME)(gate)

    @shared_server.service.on(f"{event}-async", namespace=GAME)
    async def on_event_async():
        return "here"

    async with (
        joined(shared_server, user, GAME, "/chat") as socket,
        joined(shared_server, next(_numbers)) as other,
    ):
        # More than may be in flight: the server stops reading this connection and goes on when it can.
        hanging = [asyncio.create_task(socket.ask(GAME, event, number)) for number in range(40)]
        await eventually(lambda: gate.begun)
        assert {"ok": True, "result": "here"} == await socket.ask(GAME, f"{event}-async")
        assert {"ok": True} == await socket.ask("/chat", "typing", chat)
        hanging += [asyncio.create_task(socket.ask(GAME, event, number)) for number in range(40, 200)]
        assert {"ok": True, "result": "here"} == await other.ask(GAME, f"{event}-async")
        theirs = asyncio.create_task(other.ask(GAME, event, "other"))
        await eventually(lambda: "other" in gate.begun)

        assert [0, "other"] == gate.begun
        gate.open.set()
        acks = [await ack for ack in hanging]
        await theirs
    assert list(range(200)) == [ack["data"] for ack in acks] == [number for number in gate.ended if number != "other"]


async def test_too_many_events_for_the_threads_are_refused(start_server, user):
    """``overloaded`` with a time to wait; what has been taken is done, and later ones are taken again."""
    server, gate = start_server(host_threads=1), Gate()
    server.service.on("slow", namespace=GAME)(gate)
    server.service.realtime._host._threads._waiting = 1
    async with (
        joined(server, user) as one,
        joined(server, next(_numbers)) as two,
        joined(server, next(_numbers)) as three,
    ):
        first = asyncio.create_task(one.ask(GAME, "slow", 1))
        await eventually(lambda: gate.begun)
        second = asyncio.create_task(two.ask(GAME, "slow", 2))
        await eventually(lambda: len(server.service.realtime._host._threads._lanes) == 2)
        refused = await three.ask(GAME, "slow", 3)
        gate.open.set()
        acks = [await first, await second, await three.ask(GAME, "slow", 4)]

    assert (False, "overloaded", True) == (refused["ok"], refused["code"], refused["retryable"])
    assert refused["retry_after_s"]
    assert [1, 2, 4] == [ack["data"] for ack in acks] == gate.ended


async def test_a_client_that_is_killed_leaves_its_handler_to_finish(shared_server, user, event, caplog):
    """What was taken is handled, also what waits behind; the answers go nowhere and nothing is logged."""
    gate = Gate()
    shared_server.service.on(event, namespace=GAME)(gate)
    async with joined(shared_server, user) as socket:
        for number in range(3):
            await socket.emit(GAME, event, number)
        await eventually(lambda: gate.begun)
        room = shared_server.service.engine.room(GAME, UserId(str(user)))
        await eventually(lambda: len(shared_server.service.realtime._host._threads._lanes) == 1 and len(room) == 1)
        await socket.ask(GAME, "nonsense")  # all three have been read
        socket.websocket.transport.abort()
        await eventually(lambda: not shared_server.service.engine.room(GAME, UserId(str(user))))
        gate.open.set()
        await eventually(lambda: [0, 1, 2] == gate.ended)
        await eventually(lambda: not shared_server.service.realtime._host._threads._lanes)
    async with joined(shared_server, user) as socket:
        assert {"ok": True, "data": 3} == await socket.ask(GAME, event, 3)

    assert "" == caplog.text


# The end


async def test_a_drain_waits_for_a_handler_under_way(server, user):
    """The client hears ``server_draining`` on its namespace and gets the answer before the transport closes."""
    gate = Gate()
    server.service.on("slow", namespace=GAME)(gate)
    async with joined(server, user) as socket:
        answer = asyncio.create_task(socket.ask(GAME, "slow", 1))
        await eventually(lambda: gate.begun)
        drain = asyncio.create_task(asyncio.to_thread(lambda: server.call(server.service.drain())))
        draining = await socket.payload(GAME, "server_draining")
        assert not drain.done()
        gate.open.set()
        assert {"ok": True, "data": 1} == await answer
        await socket.closed.wait()
        await drain

    assert {"retry_in"} == draining.keys()


async def test_a_handler_may_publish_until_the_server_has_stopped(server, user):
    """One that runs during the stop commits what it hands over and gets its receipt."""
    gate, published = Gate(), []

    def publish(user_id, data):
        gate(user_id, data)
        draft = EventDraft("/sns", "publish_success", (UserId(str(user_id)),), b'{"post_id":1}')
        published.extend(server.service._bridge.hand_over(draft).wait(DEADLINE_S))

    server.service.on("slow", namespace=GAME)(publish)
    async with joined(server, user) as socket:
        await socket.emit(GAME, "slow", 1)
        await eventually(lambda: gate.begun)
        stop = asyncio.create_task(asyncio.to_thread(lambda: server.call(server.service.stop())))
        await eventually(lambda: server.service.realtime._host._threads._is_stopped)
        gate.open.set()
        await stop

    assert [1] == [event["seq"] for event in published]


async def test_a_handler_that_hangs_does_not_hold_up_a_drain(server, user, caplog):
    """Drain and stop end while it still runs; its thread keeps no process alive."""
    gate, waits = Gate(), []
    server.service.on("slow", namespace=GAME)(gate)
    async with joined(server, user) as socket:
        for number in range(3):
            await socket.emit(GAME, "slow", number)
        await eventually(lambda: gate.begun)
        await asyncio.to_thread(lambda: server.call(server.service.drain()))
        await socket.closed.wait()
        waits.append(list(gate.ended))
        stop = asyncio.create_task(asyncio.to_thread(server.stop))
        await eventually(lambda: server.service.realtime._host._threads._is_stopped)
        gate.open.set()
        await stop

    assert [[]] == waits
    assert [0] == gate.begun
    assert [
        thread for thread in threading.enumerate() if thread.name.startswith("tocsin-host") and not thread.daemon
    ] == []
