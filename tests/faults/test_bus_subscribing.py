"""Users who come while a connection is being made, and those who go before their subscription is confirmed."""

import asyncio

import pytest

from tests.bus_nodes import Node, event, starting, until
from tests.redis_proxy import proxy
from tocsin.adapters.bus_redis.channels import EVERYBODY, shard_channel

CHANNEL = shard_channel("7").encode()


@pytest.fixture
async def redis(redis_url):
    async with proxy(redis_url) as redis:
        yield redis


async def test_who_comes_while_the_connection_is_being_made_is_a_gap(redis, redis_url):
    """What was published before the server confirmed such a user has not been heard, and that is told after."""
    async with starting() as start:
        here, there = await start(redis_url, listens=False), Node(redis.url, follows=[])
        redis.hold(EVERYBODY.encode() + b"\r\n")
        await there.bus.start()
        await redis.held.wait()
        there.bus.follow("7")
        await there.bus.heard(["7"])
        redis.go_on()
        redis.hold(CHANNEL)
        await there.next_gap()
        here.bus.publish([event(1, user_id="7")])
        await until(lambda: here.bus.stats["published"])
        redis.go_on()
        await there.next_gap()

        assert there.heard.empty()
        await there.bus.stop()


async def test_nobody_waits_for_what_is_given_up(redis, monkeypatch):
    """A channel that is let go before its confirmation holds no resume of others back."""
    monkeypatch.setattr("tocsin.adapters.bus_redis.bus.HEARD_S", 3600.0)
    async with starting() as start:
        node = await start(redis.url, follows=[])
        redis.hold(CHANNEL)
        node.bus.follow("7")
        heard = asyncio.create_task(node.bus.heard(["7"]))
        await redis.held.wait()
        node.bus._routes.unwant(shard_channel("7"))
        async with asyncio.timeout(20):
            await heard
