"""Events of the host's own, over real sockets: whoever connects and whatever comes."""

import asyncio
import itertools

import pytest

from tests.acceptance.host_handlers import GAME, joined
from tests.acceptance.stock_clients import TRANSPORTS, stock_client
from tests.acceptance.wire_socket import Refused, connected, wire
from tocsin.domain.errors import Conflict, Invalid
from tocsin.domain.user_id import UserId

_numbers = itertools.count(1000)


@pytest.fixture
def user():
    """A user of the test's own."""
    return next(_numbers)


@pytest.fixture
def event():
    """An event name that no other test of the module has registered."""
    return f"event-{next(_numbers)}"


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
