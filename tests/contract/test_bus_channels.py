"""Which channels a node listens to: those of its users, a while longer, and everybody's."""

import asyncio
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis

from tests.bus_nodes import Node, event, starting, until
from tocsin.adapters.bus_redis import bus as module
from tocsin.adapters.bus_redis.channels import EVERYBODY, shard_channel
from tocsin.domain.stream import StreamKey

GUIDE = Path(__file__).parents[2] / "docs/how-to/redis.md"


@pytest.fixture
async def start_node():
    async with starting() as start:
        yield start


@pytest.fixture(params=["sharded", "plain"])
def url(request):
    """Both kinds of servers; a plain one knows no sharded channels."""
    return request.getfixturevalue("redis_url" if request.param == "sharded" else "plain_url")


async def test_a_node_hears_of_its_own_users_alone(url, start_node):
    """What is for others does not even come over the wire."""
    here, there = await start_node(url), await start_node(url, follows=["bob"])
    here.bus.publish([event(1, user_id="carol"), event(1, user_id="alice"), event(1, user_id="bob")])

    assert event(1, user_id="bob") == await there.next()
    assert 1 == there.bus.stats["received"]
    assert {"channels": 2, "is_connected": 1} == {name: there.bus.stats[name] for name in ("channels", "is_connected")}


async def test_a_user_who_comes_later_is_heard_of(url, start_node):
    """From the moment that ``heard`` returns."""
    here, there = await start_node(url), await start_node(url, follows=[])
    for number in range(300):
        user_id = f"user-{number}"
        there.bus.follow(user_id)
        await there.bus.heard([user_id])
        here.bus.publish([event(1, user_id=user_id)])

        assert event(1, user_id=user_id) == await there.next()
    assert 300 == there.bus.stats["received"]
    assert there.gaps.empty()


async def test_events_that_every_node_follows_come_everywhere(url, start_node):
    """A block is told to nodes that hold the other side, also when it was kept while the server was away."""
    block = event(1, namespace="/chat", name="block_changed")
    here, there = await start_node(url), await start_node(url, follows=[])
    here.bus.publish([block])
    assert block == await there.next()

    late = Node(url, listens=False)
    late.bus.publish([block])
    await late.bus.start()

    assert StreamKey("alice", "/chat") == await there.next()
    await late.bus.stop()


async def test_a_user_who_leaves_is_listened_to_for_a_while(redis_url, start_node, monkeypatch):
    """Who comes back soon costs the server nothing; who does not is let go."""
    monkeypatch.setattr(module, "LINGER_S", 0.2)
    here, there = await start_node(redis_url), await start_node(redis_url, follows=["alice", "bob"])
    there.bus.unfollow("alice")
    assert {shard_channel("alice"), shard_channel("bob"), EVERYBODY} == set(there.bus._routes._where)
    there.bus.follow("alice")
    there.bus.unfollow("bob")
    await until(lambda: there.bus.stats["channels"] == 2)
    async with Redis.from_url(redis_url) as redis:
        while await numsub(redis, shard_channel("bob")) > 1:
            pass

        assert 2 == await numsub(redis, shard_channel("alice"))
    here.bus.publish([event(1, user_id="bob"), event(1, user_id="alice")])
    assert event(1, user_id="alice") == await there.next()


async def numsub(redis, channel):
    return (await redis.execute_command("PUBSUB", "SHARDNUMSUB", channel))[1]


async def test_users_of_one_shard_share_its_channel(redis_url, start_node, monkeypatch):
    """It is let go with the last of them."""
    monkeypatch.setattr(module, "LINGER_S", 0.0)
    monkeypatch.setattr("tocsin.adapters.bus_redis.channels.SHARDS", 1)
    here, there = await start_node(redis_url), await start_node(redis_url, follows=["alice", "bob"])
    there.bus.unfollow("alice")
    await until(lambda: not there.bus._lingering)
    here.bus.publish([event(1, user_id="bob")])
    assert event(1, user_id="bob") == await there.next()
    there.bus.unfollow("bob")

    await until(lambda: there.bus.stats["channels"] == 1)


async def test_who_comes_and_goes_leaves_nothing_behind(redis_url, start_node, monkeypatch):
    """However many did, and however often: one timer waits while somebody is still listened to."""
    monkeypatch.setattr(module, "LINGER_S", 1.0)
    node = await start_node(redis_url, follows=[])
    for _ in range(100):
        node.bus.follow("alice")
        node.bus.unfollow("alice")
    timers = [timer for timer in asyncio.get_running_loop()._scheduled if "_let_go" in repr(timer)]
    for number in range(5_000):
        node.bus.follow(f"user-{number}")
        node.bus.unfollow(f"user-{number}")
    await until(lambda: node.bus.stats["channels"] == 1)
    (inbox,) = node.bus._routes._inboxes.values()
    await until(lambda: not inbox._asked and not inbox._to_ask)

    assert 1 == len(timers)
    assert [0, 0, 0, 1, 1] == [
        len(kept) for kept in (node.bus._users, node.bus._lingering, inbox._in_flight, inbox._wanted, inbox._heard)
    ]


@pytest.mark.parametrize("is_started", [True, False])
async def test_without_a_server_nobody_waits_to_be_heard(is_started, monkeypatch):
    """The sweep of heads is all there is then."""
    monkeypatch.setattr(module, "HEARD_S", 3600.0)
    node = Node("redis://127.0.0.1:1/0")
    if is_started:
        await node.bus.start()
    async with asyncio.timeout(20):
        await node.bus.heard(["alice", "bob"])
    await node.bus.stop()

    assert node.gaps.empty()


async def test_messages_of_another_release_are_dropped_and_counted(redis_url, start_node):
    """Whatever they say: who holds the streams looks into the log."""
    node = await start_node(redis_url)
    message = {"v": 2, "node": "x", "epoch": "epoch-1", "kind": "events", "items": [["alice", "/orders"]], "new": 1}
    async with Redis.from_url(redis_url) as redis:
        await redis.execute_command("SPUBLISH", shard_channel("alice"), orjson.dumps(message))
        await redis.execute_command("SPUBLISH", shard_channel("alice"), b"x" * 1_048_577)
    await until(lambda: node.bus.dropped.total() == 2)

    assert {"other_version": 1, "too_big": 1} == dict(node.bus.dropped)
    assert node.heard.empty()
    assert node.bus.is_connected


async def test_a_message_too_big_for_the_server_ends_no_more_than_a_subscription(redis_url, start_node):
    """The server cuts off who would have to take 40 MB at once; the node subscribes again and looks for a gap."""
    here, there = await start_node(redis_url), await start_node(redis_url)
    async with Redis.from_url(redis_url) as redis:
        await redis.execute_command("SPUBLISH", shard_channel("alice"), b"x" * 40_000_000)
    await there.next_gap()
    await until(lambda: there.bus.is_connected and here.bus.is_connected)
    here.bus.publish([event(1)])

    assert event(1) == await there.next()


async def test_the_rights_that_the_guide_names_are_enough(own_valkey, start_node, monkeypatch):
    """No more of the server than the channels of ours is needed."""
    monkeypatch.setattr(module, "LINGER_S", 0.0)
    rights = GUIDE.read_text().partition("ACL SETUSER ")[2].partition("```")[0].split()
    async with Redis.from_url(own_valkey.url) as redis:
        await redis.execute_command("ACL", "SETUSER", *rights)
        await redis.execute_command("ACL", "SETUSER", "default", "off")
    url = own_valkey.url.replace("//", "//tocsin:secret@")
    here, there = await start_node(url), await start_node(url)
    here.bus.publish([event(1)])
    assert event(1) == await there.next()
    there.bus.unfollow("bob")
    await until(lambda: there.bus.stats["channels"] == 2)
    here.bus.publish_ephemeral(None, "/chat", "user_online", {})

    assert (None, "/chat", "user_online", {}) == await there.next()
    assert 0 == here.bus.stats["reconnects"]
