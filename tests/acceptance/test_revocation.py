"""Tokens that are ended before their time, over real connections: security.md, "Tokens"."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.acceptance.wire_socket import Refused, connected, eventually, wire

INBOX = "/api/notifications"
PATH = "/api/sessions/revoke"


def revoke(server, scope="publish", **body):
    return server.http.post(PATH, json=body, headers=server.bearer("shop", scope))


def ask(server, token):
    return server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"})


async def assert_refused_on_sockets(server, token):
    async with wire(server.url) as socket:
        with pytest.raises(Refused, match="revoked") as refused:
            await socket.connect("/chat", {"token": token})
    assert "unauthenticated" == refused.value.data["code"]
    assert token not in str(refused.value.data)


@pytest.mark.parametrize("scope", ["publish", "admin"])
async def test_a_users_sockets_are_cut_and_the_tokens_refused(shared_server, scope):
    """Every namespace, every connection of the user; others' go on; a token made after it opens all again."""
    server = shared_server
    user = f"cut-by-{scope}"
    token = server.mint(user)
    assert 200 == ask(server, token).status_code
    async with (
        connected(server.url, "/chat", token) as phone,
        connected(server.url, "/orders", server.mint(user)) as web,
        connected(server.url, "/chat", server.mint("bystander")) as other,
    ):
        answer = await asyncio.to_thread(revoke, server, scope, user_id=user)
        ended = [await phone.payload("/chat", "auth_expired"), await web.payload("/orders", "auth_expired")]
        await phone.closed.wait()
        await web.closed.wait()
        assert not other.closed.is_set()
        assert (await other.ask("/chat", "ack", {"seq": 0}))["ok"]

    assert 200 == answer.status_code
    assert (user, None) == (answer.json()["user_id"], answer.json()["jti"])
    assert answer.json()["revoked_at"] >= ended[0]["expires_at"][:19]
    refused = ask(server, token)
    assert (401, "unauthenticated", "the token was revoked") == (
        refused.status_code,
        refused.json()["code"],
        refused.json()["detail"],
    )
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    await assert_refused_on_sockets(server, token)
    fresh = server.mint(user, iat=answer.json()["valid_from"])
    assert 200 == ask(server, fresh).status_code
    async with connected(server.url, "/chat", fresh):
        pass


async def test_one_token_is_ended_by_its_id(shared_server):
    """The user's other tokens go on, on sockets and over REST."""
    server = shared_server
    one, other = server.mint("two-tokens", jti="lost-phone"), server.mint("two-tokens", jti="laptop")
    async with connected(server.url, "/chat", one) as lost, connected(server.url, "/chat", other) as kept:
        assert 200 == (await asyncio.to_thread(revoke, server, jti="lost-phone")).status_code
        await lost.closed.wait()
        assert (await kept.ask("/chat", "ack", {"seq": 0}))["ok"]

    assert [401, 200] == [ask(server, token).status_code for token in (one, other)]
    await assert_refused_on_sockets(server, one)


async def test_a_newer_token_keeps_the_socket(shared_server):
    """A connection lives by the token that lasts longest: what it had before may be ended."""
    server = shared_server
    async with connected(server.url, "/chat", server.mint("renewed", jti="before")) as socket:
        assert (await socket.ask("/chat", "reauth", {"token": server.mint("renewed", ttl_s=7_200, jti="after")}))["ok"]
        await asyncio.to_thread(revoke, server, jti="before")
        assert (await socket.ask("/chat", "ack", {"seq": 0}))["ok"]
        refused = await socket.ask("/chat", "reauth", {"token": server.mint("renewed", ttl_s=9_000, jti="before")})
        assert (False, "unauthenticated") == (refused["ok"], refused["code"])
        await asyncio.to_thread(revoke, server, jti="after")
        await socket.closed.wait()


async def test_polling_is_cut_as_well(shared_server):
    """A poll that waits is answered with the end."""
    server = shared_server
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
        sid = (await http.get("/socket.io/?EIO=4&transport=polling")).text.partition('"sid":"')[2].partition('"')[0]
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        await http.post(path, content=f'40/orders,{{"token":"{server.mint("poller")}"}}')
        got = (await http.get(path)).text
        while "synced" not in got:
            got += (await http.get(path)).text
        waiting = asyncio.create_task(http.get(path))
        await eventually(lambda: not server.service.engine.sessions[sid].is_unattended)
        await asyncio.to_thread(revoke, server, user_id="poller")
        told = (await waiting).text
        while (answer := await http.get(path)).status_code == 200:
            told += answer.text

    assert "auth_expired" in told
    assert 400 == answer.status_code


def test_it_survives_a_restart(start_server, tmp_path):
    """A token stays refused in the next life, of a user and of an id."""
    database = f"sqlite:///{tmp_path / 'kept.db'}"
    first = start_server(database_url=database)
    tokens = [first.mint("leaver"), first.mint("7", jti="stolen")]
    revoke(first, user_id="leaver")
    revoke(first, jti="stolen")
    first.stop()
    second = start_server(database_url=database)

    assert [401, 401] == [ask(second, token).status_code for token in tokens]


def test_it_is_dropped_when_it_has_expired(shared_server):
    """Whoever says when the tokens end gets the row pruned then; without a word it is kept for 400 days."""
    server = shared_server
    assert (
        "2099-01-01T00:00:00.000Z" == revoke(server, jti="j-1", expires_at="2099-01-01T00:00:00Z").json()["expires_at"]
    )
    soon = datetime.now(UTC) + timedelta(seconds=1)
    revoke(server, jti="j-2", expires_at=soon.isoformat())
    time.sleep(1.1)

    assert 1 == server.call(server.service.retention.prune())["revocation"]


def test_one_that_would_be_over_already_is_refused(shared_server):
    """No other node would hear of it, and this one would forget it soon."""
    answer = shared_server.http.post(
        PATH, json={"user_id": 7, "expires_at": "2001-01-01T00:00:00Z"}, headers=shared_server.bearer("shop", "publish")
    )

    assert (422, "invalid") == (answer.status_code, answer.json()["code"])


def test_a_publisher_may_be_ended_too(shared_server):
    """A back end whose token leaked publishes nothing more with it."""
    server = shared_server
    leaked = server.bearer("shop", "publish", jti="leaked")
    body = {"user_id": 7, "type": "t", "title": "t", "message": ""}
    assert 201 == server.http.post(INBOX, json=body, headers=leaked).status_code
    revoke(server, jti="leaked")

    assert 401 == server.http.post(INBOX, json=body, headers=leaked).status_code


def test_users_end_nobodys_sessions(shared_server):
    """It needs a scope, also for one's own."""
    answer = shared_server.http.post(PATH, json={"user_id": 7}, headers=shared_server.bearer(7))

    assert (403, "forbidden") == (answer.status_code, answer.json()["code"])
    assert 401 == shared_server.http.post(PATH, json={"user_id": 7}).status_code


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_id": None},
        {"user_id": 7, "jti": "x"},
        {"jti": ""},
        {"jti": "x" * 513},
        {"jti": "a\0b"},
        {"jti": 7},
        {"user_id": ["7"]},
        {"user_id": 7, "expires_at": "soon"},
        {"user_id": 7, "until": "2099-01-01T00:00:00Z"},
    ],
)
def test_what_breaks_a_rule_revokes_nobody(shared_server, body):
    """422, as everywhere."""
    assert 422 == revoke(shared_server, **body).status_code


@pytest.mark.slow
@pytest.mark.parametrize("has_redis", [True, False])
async def test_it_holds_on_every_node(start_server, postgres_url, redis_url, has_redis):
    """A socket on another node is cut, through Redis at once, without it by the sweep; its token is refused there."""
    one, other = (start_server(database_url=postgres_url, redis_url=redis_url if has_redis else None) for _ in range(2))
    token = one.mint("traveller")
    async with connected(other.url, "/chat", token) as far, connected(other.url, "/chat", one.mint("stays")) as stays:
        await asyncio.to_thread(revoke, one, user_id="traveller")
        await asyncio.wait_for(far.closed.wait(), 20)
        assert not stays.closed.is_set()
    assert 401 == ask(other, token).status_code
