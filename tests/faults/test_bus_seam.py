"""Between a subscription and the look into the log nothing is missed, and a node that hears nothing says so."""

import asyncio
import logging

import pytest

from tests.acceptance.wire_socket import connected, eventually, wire
from tests.faults.test_redis import NS, core_on, publish
from tests.redis_proxy import proxy
from tocsin.adapters.bus_redis.channels import shard_channel
from tocsin.realtime import Realtime

CHANNEL = shard_channel("7").encode()


@pytest.fixture
async def redis(redis_url):
    async with proxy(redis_url) as redis:
        yield redis


@pytest.fixture
def node(start_server, redis, monkeypatch):
    """A node that is told by the bus, or never."""
    monkeypatch.setitem(Realtime.__init__.__kwdefaults__, "sweep_s", 3600.0)
    return start_server(redis_url=redis.url)


@pytest.fixture
async def core(node, redis_url):
    """Another process that publishes."""
    async with core_on(node.settings, redis_url=redis_url) as core:
        await eventually(lambda: core.bus.is_connected and node.service.bus.is_connected)
        yield core


async def test_what_is_published_while_a_user_is_being_subscribed_arrives(node, core, redis):
    """The resume waits for the subscription, and reads the log after it."""
    redis.hold(CHANNEL)
    async with wire(node.url) as socket:
        connecting = asyncio.create_task(
            socket.connect(NS, {"token": node.mint(7), "epoch": node.service.store.epoch, "last_seq": 0})
        )
        await redis.held.wait()
        # Whatever is asked of the log now is asked before the commit.
        await asyncio.sleep(0.1)
        await publish(core, 1)
        await eventually(lambda: not core.bus.stats["waiting"])
        redis.go_on()
        await connecting
        first = await socket.payload(NS, "order_updated")
        await publish(core, 2)
        second = await socket.payload(NS, "order_updated")

    assert [(1, 1), (2, 2)] == [(event["seq"], event["order_id"]) for event in (first, second)]


async def test_a_subscription_that_is_late_is_a_gap(node, core, redis):
    """A server that answers slowly keeps nobody waiting: what it did not bring is read when it does."""
    redis.hold(CHANNEL)
    async with connected(node.url, NS, node.mint(7)) as socket:
        await publish(core, 1)
        await eventually(lambda: not core.bus.stats["waiting"])
        redis.go_on()
        first = await socket.payload(NS, "order_updated")
        await publish(core, 2)
        second = await socket.payload(NS, "order_updated")

    assert [(1, 1), (2, 2)] == [(event["seq"], event["order_id"]) for event in (first, second)]


async def test_a_deaf_node_is_not_ready_and_subscribes_again(start_server, redis, monkeypatch, caplog):
    """It says so, in a probe and one line, and in another when it hears again; events come by the sweep meanwhile."""
    monkeypatch.setattr("tocsin.adapters.bus_redis.inbox.CANARY_S", 0.1)
    monkeypatch.setattr("tocsin.adapters.bus_redis.inbox.TURN_S", 0.1)
    caplog.set_level(logging.INFO, "tocsin")
    node = start_server(redis_url=redis.url)
    async with core_on(node.settings) as core, connected(node.url, NS, node.mint(7)) as socket:
        await eventually(lambda: node.service.bus.is_connected)
        ready = await probe(node)
        redis.muted = b"message\r\n"
        await eventually(lambda: node.service.bus.is_deaf)
        deaf = await probe(node)
        await publish(core, 1)
        first = await socket.payload(NS, "order_updated")
        monkeypatch.setattr("tocsin.adapters.bus_redis.bus.UNREADY_S", 0.0)
        still_deaf = node.service.bus.stats["is_deaf"], await probe(node)
        again = node.service.bus.stats["reconnects"]
        await eventually(lambda: node.service.bus.stats["reconnects"] > again)
        redis.muted = None
        await eventually(lambda: not node.service.bus.stats["is_deaf"])
        well = await probe(node)
        await publish(core, 2)
        second = await socket.payload(NS, "order_updated")
    lines = [record.getMessage() for record in caplog.records if "bus_redis" in record.name]

    assert [200, 503, 200] == [answer.status_code for answer in (ready, deaf, well)]
    # In the long run a node that delivers late is better than none.
    assert (1, 200) == (still_deaf[0], still_deaf[1].status_code)
    assert "not_ready" == deaf.json()["code"]
    assert [1, 2] == [event["order_id"] for event in (first, second)]
    assert 1 == node.service.bus.stats["deaf"]
    assert [1, 1, 2] == [
        sum("is deaf" in line for line in lines),
        sum("hears again" in line for line in lines),
        len(lines),
    ]


async def probe(node):
    # Not on this loop: the proxy is.
    return await asyncio.to_thread(node.http.get, "/readyz")
