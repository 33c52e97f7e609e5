"""Rates of client events, over real sockets: counted by user, refused in the ack, never a reason to close."""

import asyncio

import pytest

from tests.acceptance.stock_clients import stock_client
from tests.acceptance.wire_socket import connected, eventually, wire
from tocsin.domain.errors import Invalid
from tocsin.domain.user_id import UserId
from tocsin.realtime.host_events import limit

GAME = "/game"

BUILT_IN = [
    ("/sns", "publish_start"),
    ("/chat", "send_message"),
    ("/chat", "typing"),
    ("/chat", "mark_read"),
    ("/notifications", "mark_read"),
    ("/notifications", "mark_all_read"),
    ("/notifications", "mark_seen"),
    ("/notifications", "delete"),
    *((namespace, name) for namespace in ("/sns", "/orders", "/chat") for name in ("ack", "replay", "reauth")),
]


def codes(acks):
    """Return ``ok`` or the code of each ack."""
    return ["ok" if ack["ok"] else ack["code"] for ack in acks]


@pytest.mark.parametrize(("namespace", "event"), BUILT_IN)
async def test_every_client_event_has_the_default_rate(few_a_minute, namespace, event):
    """Each counts by itself, whatever it says; the refusal tells when to come again."""
    server = few_a_minute
    async with connected(server.url, namespace, server.mint(f"{namespace}{event}")) as socket:
        acks = [await socket.ask(namespace, event, {"nonsense": 1}) for _ in range(5)]

    assert ["invalid"] * 3 + ["rate_limited"] * 2 == codes(acks)
    refused = acks[-1]
    assert (429, True) == (refused["status"], refused["retryable"])
    assert 0 < refused["retry_after_s"] <= 20


@pytest.fixture(scope="module")
def few_a_minute(start_shared_server):
    return start_shared_server(limit_user_events="3 per minute")


async def test_a_rate_of_its_own_takes_the_place_of_the_default(few_a_minute):
    """More as well as less; events that are not marked keep the default."""
    service = few_a_minute.service
    service.on("often", namespace=GAME, limit="50 per minute")(lambda: None)
    service.on("seldom", namespace=GAME, limit="1 per hour")(lambda: None)
    service.on("plain", namespace=GAME)(lambda: None)
    async with wire(few_a_minute.url) as socket:
        await socket.connect(GAME, {"token": few_a_minute.mint("own")})
        often = [await socket.ask(GAME, "often") for _ in range(51)]
        seldom = [await socket.ask(GAME, "seldom") for _ in range(2)]
        plain = [await socket.ask(GAME, "plain") for _ in range(4)]

    assert ["ok"] * 50 + ["rate_limited"] == codes(often)
    assert ["ok", "rate_limited"] == codes(seldom)
    assert 3_500 < seldom[1]["retry_after_s"] <= 3_600
    assert ["ok"] * 3 + ["rate_limited"] == codes(plain)


@pytest.mark.parametrize("kind", ["4.8", "4.5", "python"])
async def test_all_connections_of_a_user_share_a_rate(shared_server, kind):
    """The guide's ``10 per minute`` on two devices of stock clients; another user has ten of its own."""
    calls = []

    @shared_server.service.on(f"message-{kind}")
    @limit("10 per minute")
    def handle_message(data):
        calls.append(data)

    async with stock_client(kind) as phone, stock_client("python") as desk, stock_client("python") as other:
        for client, user in ((phone, f"one-{kind}"), (desk, f"one-{kind}"), (other, f"other-{kind}")):
            await client.open(shared_server.url, ["/"], ["websocket"], {"token": shared_server.mint(user)})
        acks = [await client.ask("/", f"message-{kind}", "mine") for client in (phone, desk) * 6]
        theirs = [await other.ask("/", f"message-{kind}", "theirs") for _ in range(11)]

    assert ["ok"] * 10 + ["rate_limited"] * 2 == codes(acks)
    assert ["ok"] * 10 + ["rate_limited"] == codes(theirs)
    assert ["mine"] * 10 + ["theirs"] * 10 == calls


async def test_the_mark_may_stand_above_or_below(shared_server):
    """Both orders of the decorators give the rate, and a new connection is no new start."""

    @shared_server.service.on("below", namespace=GAME)
    @limit("2 per hour")
    def below(data):
        return data

    @limit("2 per hour")
    @shared_server.service.on("above", namespace=GAME)
    async def above(data):
        return data

    acks = {"below": [], "above": []}
    for _ in range(4):
        async with wire(shared_server.url) as socket:
            await socket.connect(GAME, {"token": shared_server.mint("marked")})
            for name, got in acks.items():
                got.append(await socket.ask(GAME, name, 1))

    assert {name: ["ok"] * 2 + ["rate_limited"] * 2 for name in acks} == {
        name: codes(got) for name, got in acks.items()
    }


async def test_publish_start_takes_the_rate_of_its_handler(server):
    """The server's own event, once the host handles it."""

    @server.service.on("publish_start", namespace="/sns")
    @limit("1 per hour")
    def publish_start(user_id, data):
        return {"post": data["post_id"]}

    async with connected(server.url, "/sns", server.mint(1)) as socket:
        acks = [await socket.ask("/sns", "publish_start", {"post_id": 5, "platforms": []}) for _ in range(2)]

    assert {"ok": True, "post": 5} == acks[0]
    assert "rate_limited" == acks[1]["code"]


async def test_a_refusal_that_nobody_asked_for_is_silent(shared_server):
    """No ack, no packet, no call; the connection and its other events go on."""
    calls = []
    shared_server.service.on("quiet", namespace=GAME, limit="2 per hour")(calls.append)
    async with wire(shared_server.url) as socket:
        await socket.connect(GAME, {"token": shared_server.mint("quiet")})
        for number in range(100):
            await socket.emit(GAME, "quiet", number)
        assert "rate_limited" == (await socket.ask(GAME, "quiet", 100))["code"]
        await eventually(lambda: len(calls) == 2)

        assert [] == socket.untaken(GAME)
        assert not socket.closed.is_set()
    assert [0, 1] == calls


async def test_a_refusal_does_not_close_and_a_flood_does(shared_server):
    """A thousand refusals are answered; the engine's own rule ends who does not stop."""
    shared_server.service.on("flooded", namespace=GAME, limit="1 per day")(lambda: None)
    token = shared_server.mint("flood")
    async with wire(shared_server.url) as socket, wire(shared_server.url) as calm:
        await socket.connect(GAME, {"token": token})
        await calm.connect(GAME, {"token": token})
        acks = await asyncio.gather(*(socket.ask(GAME, "flooded") for _ in range(1_000)))
        assert ["ok"] + ["rate_limited"] * 999 == codes(acks)
        assert not socket.closed.is_set()
        flood = asyncio.gather(*(socket.ask(GAME, "flooded") for _ in range(4_000)), return_exceptions=True)
        await socket.closed.wait()
        flood.cancel()

        assert "unknown_event" == (await calm.ask(GAME, "other"))["code"]
    assert len(shared_server.service.realtime._limits.of(GAME, "flooded")) == 1


@pytest.mark.parametrize("rate", ["often", "0 per minute", ""])
def test_what_is_no_rate_is_refused_at_registration(shared_server, rate):
    """Nothing is registered then."""
    with pytest.raises(Invalid, match="not a rate"):
        shared_server.service.on("never", namespace=GAME, limit=rate)

    assert shared_server.service.realtime._host.find(GAME, "never") is None


async def test_typing_that_is_refused_is_not_told(few_a_minute):
    """What a rate refuses reaches nobody."""
    server = few_a_minute
    async with (
        connected(server.url, "/chat", server.mint("typist")) as typist,
        connected(server.url, "/chat", server.mint("reader")) as reader,
    ):
        for number in range(10):
            await typist.emit("/chat", "typing", {"to_user_id": "reader", "is_typing": number % 2 == 0})
        told = await reader.payload("/chat", "user_typing")
        sent = await typist.ask("/chat", "send_message", {"to_user_id": "reader", "message": "hi"})
        heard = await reader.until("/chat", "message_received")

    assert sent["ok"]
    # Signs that change back before the first is told are one, or three.
    assert [name for name, _ in heard].count("user_typing") in {0, 2}, "the third was the last, and she writes"
    assert told["is_typing"]
    assert UserId("typist") == told["user_id"]


@pytest.mark.slow
async def test_over_two_nodes_a_user_has_one_rate(start_server, postgres_url, redis_url):
    """What is spent on one node is soon spent on the other, but for a tenth of the rate and what fits into a second."""
    one, other = (
        start_server(database_url=postgres_url, redis_url=redis_url, limit_user_events="20 per hour") for _ in range(2)
    )
    async with (
        connected(one.url, "/orders", one.mint("busy")) as here,
        connected(other.url, "/orders", other.mint("busy")) as there,
    ):
        first = codes([await here.ask("/orders", "replay", {"nonsense": 1}) for _ in range(20)])
        second = []

        async def is_refused():
            await asyncio.sleep(0.5)
            second.append(await there.ask("/orders", "replay", {"nonsense": 1}))
            return codes(second)[-1] == "rate_limited"

        await eventually(is_refused)

    assert ["invalid"] * 20 == first
    assert 1 < len(second) < 12
