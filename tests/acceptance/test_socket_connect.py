"""Who may connect: a CONNECT of any namespace needs a token, and a connection has one user."""

import asyncio
import logging
from contextlib import AsyncExitStack

import jwt
import orjson
import pytest

from tests.acceptance.wire_socket import Refused, connected, eventually, wire
from tocsin.domain.events import NAMESPACES

SECRET = "a secret for tests, of more than thirty-two bytes"


@pytest.mark.parametrize("namespace", NAMESPACES)
async def test_a_valid_token_opens_every_namespace(shared_server, namespace):
    """CONNECT is answered with a sid alone, then ``synced`` with epoch and seq."""
    async with wire(shared_server.url) as socket:
        answer = await socket.connect(namespace, {"token": shared_server.mint(1)})
        event, payload = await socket.next(namespace)

    assert {"sid"} == set(answer)
    assert ("synced", 0) == (event, payload["seq"])
    assert isinstance(payload["epoch"], str)


async def test_four_namespaces_share_one_connection(shared_server):
    """One transport carries all namespaces of a user, each with its own stream."""
    async with wire(shared_server.url) as socket:
        for namespace in NAMESPACES:
            await socket.connect(namespace, {"token": shared_server.mint(2)})
        synced = [await socket.payload(namespace, "synced") for namespace in NAMESPACES]

    assert 4 == len(synced)


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (None, "a token is required"),
        ({}, "a token is required"),
        ({"token": None}, "a token is required"),
        ({"token": ""}, "a token is required"),
        ({"token": 5}, "a token is required"),
        ({"token": ["x"]}, "a token is required"),
        ({"token": "not-a-token-at-all"}, "the token is malformed"),
    ],
)
async def test_without_a_token_nobody_connects(shared_server, auth, message):
    """The refusal is a CONNECT_ERROR with a message and the problem object."""
    async with wire(shared_server.url) as socket:
        with pytest.raises(Refused) as refusal:
            await socket.connect("/notifications", auth)

    assert message == refusal.value.message
    assert ("unauthenticated", 401) == (refusal.value.data["code"], refusal.value.data["status"])


def expired(server):
    return server.mint(1, ttl_s=-60)


def foreign_key(_server):
    return jwt.encode({"sub": "1", "exp": 4_000_000_000}, "another secret of more than thirty-two bytes")


def unsigned(_server):
    return jwt.encode({"sub": "1", "exp": 4_000_000_000}, None, algorithm="none")


def endless(_server):
    return jwt.encode({"sub": "1"}, SECRET)


def without_user(_server):
    return jwt.encode({"exp": 4_000_000_000}, SECRET)


@pytest.mark.parametrize("make", [expired, foreign_key, unsigned, endless, without_user])
@pytest.mark.parametrize("namespace", ["/sns", "/chat"])
async def test_a_wrong_token_is_refused_and_not_repeated(shared_server, make, namespace):
    """Expired, forged, unsigned or incomplete: a refusal that holds nothing of the token."""
    token = make(shared_server)
    async with wire(shared_server.url) as socket:
        with pytest.raises(Refused) as refusal:
            await socket.connect(namespace, {"token": token})

    assert "unauthenticated" == refusal.value.data["code"]
    assert all(part not in f"{refusal.value.message}{refusal.value.data}" for part in token.split(".") if part)


async def test_a_refused_client_may_try_again_on_the_same_connection(shared_server):
    """A fresh token after a refusal connects, as stock clients do it."""
    async with wire(shared_server.url) as socket:
        with pytest.raises(Refused):
            await socket.connect("/chat", {"token": expired(shared_server)})
        await socket.connect("/chat", {"token": shared_server.mint(3)})

        assert await socket.payload("/chat", "synced")


@pytest.mark.parametrize("cursor", [{"last_seq": "7 "}, {"last_seq": -1}, {"last_seq": 1.5}, {"epoch": 7}])
async def test_a_malformed_cursor_is_refused(shared_server, cursor):
    """A cursor of the wrong type is told and not guessed."""
    async with wire(shared_server.url) as socket:
        with pytest.raises(Refused) as refusal:
            await socket.connect("/chat", {"token": shared_server.mint(4), **cursor})

    assert "invalid" == refusal.value.data["code"]


async def test_fields_of_the_host_in_auth_are_not_looked_at(shared_server):
    """A host may send more than Tocsin asks for; a user id in it chooses nothing."""
    auth = {"token": shared_server.mint(5), "user_id": 6, "app": "shop", "epoch": None, "last_seq": None}
    async with wire(shared_server.url) as socket, connected(shared_server.url, "/chat", shared_server.mint(6)) as other:
        await socket.connect("/chat", auth)
        await socket.until("/chat", "synced")
        answer = await socket.ask("/chat", "send_message", {"to_user_id": 6, "message": "whose?"})

        assert answer["ok"]
        assert 5 == (await other.payload("/chat", "message_received"))["from_user_id"]


async def test_a_namespace_that_does_not_exist_is_told(shared_server):
    """The engine's own refusal, in the words of the Node server."""
    async with wire(shared_server.url) as socket:
        with pytest.raises(Refused, match="Invalid namespace"):
            await socket.connect("/admin", {"token": shared_server.mint(1)})


async def test_a_second_user_on_one_connection_is_refused(shared_server):
    """A connection is one user's; the first one's namespaces go on undisturbed."""
    async with connected(shared_server.url, "/chat", shared_server.mint(7)) as socket:
        with pytest.raises(Refused) as refusal:
            await socket.connect("/notifications", {"token": shared_server.mint(8)})

        assert "forbidden" == refusal.value.data["code"]
        assert (await socket.ask("/chat", "ack", {"seq": 0}))["ok"]


async def test_a_user_holds_twenty_connections_and_no_more(shared_server):
    """The 21st is refused, and taken when another one has gone; other users don't notice."""
    token = shared_server.mint("many")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(connected(shared_server.url, "/chat", token))
        for _ in range(19):
            await stack.enter_async_context(connected(shared_server.url, "/chat", token))
        late = await stack.enter_async_context(wire(shared_server.url))
        with pytest.raises(Refused) as refusal:
            await late.connect("/chat", {"token": token})
        await stack.enter_async_context(connected(shared_server.url, "/chat", shared_server.mint("other")))

        assert "rate_limited" == refusal.value.data["code"]

        await first.websocket.close()

        async def is_taken():
            try:
                return await late.connect("/chat", {"token": token})
            except Refused:
                return None

        assert await eventually(is_taken)


async def test_connections_that_are_cut_are_forgotten(shared_server):
    """A user whose links break again and again is never locked out."""
    token = shared_server.mint("shaky")
    for _ in range(30):
        async with wire(shared_server.url) as socket:
            await socket.connect("/chat", {"token": token})
            socket.websocket.transport.abort()
            async with asyncio.timeout(10):
                await socket.closed.wait()

    await eventually(lambda: not shared_server.service.realtime.stats["streams"])
    assert 0 == shared_server.service.realtime.stats["users"]


async def test_polls_that_nobody_collects_lock_nobody_out(shared_server):
    """A user whose links break between two polls comes in again and again; who is there stays."""
    token = shared_server.mint("shaky poller")
    auth = orjson.dumps({"token": token}).decode()
    path = "/socket.io/?EIO=4&transport=polling"

    def poll():
        sid = orjson.loads(shared_server.http.get(path).text[1:])["sid"]
        shared_server.http.post(f"{path}&sid={sid}", content=f"40/chat,{auth}")
        return shared_server.http.get(f"{path}&sid={sid}").text

    async with connected(shared_server.url, "/chat", token) as socket:
        answers = [await asyncio.to_thread(poll) for _ in range(30)]
        assert (await socket.ask("/chat", "ack", {"seq": 0}))["ok"]

    assert ["40/chat"] * 30 == [answer[:7] for answer in answers]


async def test_a_connection_cut_in_the_middle_of_its_connect_is_forgotten(server):
    """A client cut for being slow by the very ``synced`` that greets it leaves no stream behind."""
    token = server.mint("hoarder")
    auth = orjson.dumps({"token": token}).decode()
    path = "/socket.io/?EIO=4&transport=polling"
    sid = orjson.loads(server.http.get(path).text[1:])["sid"]

    def push(*packets):
        return server.http.post(f"{path}&sid={sid}", content="\x1e".join(packets)).status_code

    async with connected(server.url, "/sns", token):
        assert 200 == push(f"40/chat,{auth}")
        await eventually(lambda: "synced" in server.http.get(f"{path}&sid={sid}").text)
        acks = [f'42/chat,{number}["ack",{{"seq":0}}]' for number in range(255)]
        assert {200} == {push(*acks[start : start + 15]) for start in range(0, 255, 15)}

        assert 400 == push(f"40/sns,{auth}")

    await eventually(lambda: not server.service.realtime.stats["users"])
    assert 0 == server.service.realtime.stats["streams"]


async def test_whoever_is_refused_over_and_over_does_not_fill_the_log(server, caplog):
    """Some are told, the others counted; none of them holds the token."""
    caplog.set_level(logging.INFO, "tocsin")
    async with wire(server.url) as socket:
        for _ in range(300):
            with pytest.raises(Refused):
                await socket.connect("/sns", {"token": "geheim"})
    lines = [record.getMessage() for record in caplog.records if "a client was refused" in record.getMessage()]

    assert "websocket: a client was refused on /sns: the token is malformed" == lines[0]
    assert len(lines) < 100
    assert "geheim" not in caplog.text
