"""Presence over two nodes and a real Valkey: one user however many nodes, and the end of a node that is killed."""

import asyncio
import time
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.wire_socket import connected, eventually, wire
from tests.conftest import SECRET
from tests.processes import environment, serving
from tests.valkey import valkey
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.application import presence_nodes as module
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings

pytestmark = pytest.mark.slow


def mint(user):
    return issue_token(Settings(_env_file=None, jwt_secret=SECRET), UserId(user), ttl_s=3600)


@pytest.fixture
async def nodes(tmp_path, redis_url):
    env = environment(tmp_path / "t.db", TOCSIN_REDIS_URL=redis_url)
    async with serving(tmp_path, env) as first, serving(tmp_path, env) as second:
        yield first, second


@pytest.fixture
def users():
    return [f"{name}-{uuid4()}" for name in ("alice", "bob")]


async def change(socket, seconds=20.0):
    """
    Return the next change of presence, or None when there is none in time.

    What a socket knows already is none: a greeting and the news may meet, and both say that somebody is there.
    """
    with_in = asyncio.timeout(seconds)
    known = vars(socket).setdefault("presence", {})
    try:
        async with with_in:
            while True:
                name, payload = await socket.events["/chat"].get()
                if name in {"user_online", "user_offline"} and known.get(payload["user_id"]) != name:
                    known[payload["user_id"]] = name
                    return name, payload["user_id"]
    except TimeoutError:
        return None


async def say(socket, to):
    assert (await socket.ask("/chat", "send_message", {"to_user_id": to, "message": "hello"}))["ok"]


async def test_a_user_on_two_nodes_is_there_once(nodes, users):
    """Told over nodes, to a page that comes later too; gone when the last connection anywhere has closed."""
    (one, _), (two, _) = nodes
    alice, bob = users
    async with connected(one, "/chat", mint(alice)) as hers:
        async with connected(two, "/chat", mint(bob)) as his:
            await say(hers, bob)
            assert ("user_online", bob) == await change(hers)
            assert ("user_online", alice) == await change(his)
            async with connected(one, "/chat", mint(bob)), wire(one) as later:
                await later.connect("/chat", {"token": mint(alice)})
                assert ("user_online", bob) == await change(later)
                watched = await later.ask("/chat", "watch", {"user_ids": [bob]})
                assert [True] == [seen["is_online"] for seen in watched["presence"]]
            assert await change(hers, 6) is None, "he is still on the other node"
        assert ("user_offline", bob) == await change(hers)
        async with httpx.AsyncClient(base_url=two, trust_env=False) as http:
            answer = await http.get(
                "/api/chat/presence", params={"user_ids": bob}, headers={"Authorization": f"Bearer {mint(alice)}"}
            )
        assert [(bob, False)] == [(seen["user_id"], seen["is_online"]) for seen in answer.json()["presence"]]


async def test_a_block_reaches_the_other_node(nodes, users):
    """Neither sees the other any more, wherever they are."""
    (one, _), (two, _) = nodes
    alice, bob = users
    async with connected(one, "/chat", mint(alice)) as hers, connected(two, "/chat", mint(bob)) as his:
        await say(hers, bob)
        assert (("user_online", bob), ("user_online", alice)) == (await change(hers), await change(his))
        async with httpx.AsyncClient(base_url=one, trust_env=False) as http:
            await http.put(f"/api/chat/blocks/{bob}", headers={"Authorization": f"Bearer {mint(alice)}"})

        assert (("user_offline", bob), ("user_offline", alice)) == (await change(hers), await change(his))


async def test_the_users_of_a_killed_node_are_gone_with_its_lease(nodes, users):
    """Within seconds, and not before its lease is over; when it was seen is told."""
    (one, _), (two, process) = nodes
    alice, bob = users
    async with connected(one, "/chat", mint(alice)) as hers:
        async with connected(two, "/chat", mint(bob)):
            await say(hers, bob)
            assert ("user_online", bob) == await change(hers)
            killed_at = time.monotonic()
            process._process.kill()
            assert ("user_offline", bob) == await change(hers, 40)
            took_s = time.monotonic() - killed_at
        watched = await hers.ask("/chat", "watch", {"user_ids": [bob]})

    assert module.LEASE_S - module.ALIVE_S <= took_s <= module.LEASE_S + module.ALIVE_S + 3
    assert watched["presence"][0]["last_seen_at"] is not None


async def test_a_node_that_comes_later_learns_who_is_there(tmp_path, redis_url, users):
    """It asks, and tells a page that comes to it."""
    env = environment(tmp_path / "t.db", TOCSIN_REDIS_URL=redis_url)
    alice, bob = users
    async with serving(tmp_path, env) as (one, _), connected(one, "/chat", mint(bob)) as his:
        await say(his, alice)
        async with serving(tmp_path, env) as (two, _), wire(two) as hers:
            await asyncio.sleep(1)
            await hers.connect("/chat", {"token": mint(alice)})
            assert ("user_online", bob) == await change(hers)
            assert ("user_online", alice) == await change(his)


async def test_a_block_while_the_bus_is_away_holds_when_it_is_back(tmp_path, users):
    """On the other node too, which heard nothing of it: it looks again."""
    alice, bob = users
    async with AsyncExitStack() as stack:
        bus = stack.enter_context(valkey(tmp_path))
        env = environment(tmp_path / "t.db", TOCSIN_REDIS_URL=bus.url)
        one, two = [(await stack.enter_async_context(serving(tmp_path, env)))[0] for _ in range(2)]
        hers = await stack.enter_async_context(connected(one, "/chat", mint(alice)))
        his = await stack.enter_async_context(connected(two, "/chat", mint(bob)))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=one, trust_env=False))
        await say(hers, bob)
        assert (("user_online", bob), ("user_online", alice)) == (await change(hers), await change(his))
        bus.kill()
        answer = await http.put(f"/api/chat/blocks/{bob}", headers={"Authorization": f"Bearer {mint(alice)}"})
        assert answer.status_code == 204
        bus.start()

        async def hidden():
            return [] == (await his.ask("/chat", "watch", {"user_ids": [alice]}))["presence"]

        await eventually(hidden)
        assert ("user_offline", alice) == await change(his)
