"""A Redis Cluster and a master with Sentinels: slots move, masters die, and the nodes hear each other again."""

import logging

import pytest

from tests.bus_nodes import Node, event, starting, until
from tests.valkey_groups import cluster, sentinels
from tocsin.adapters.bus_redis.channels import EVERYBODY, shard_channel

pytestmark = pytest.mark.slow

USERS = [f"user-{number}" for number in range(60)]


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def start_node(caplog):
    caplog.set_level(logging.INFO, "tocsin")
    async with starting() as start:
        yield start


def told(caplog):
    return [record.getMessage().partition(" (")[0].partition(" after")[0] for record in caplog.records]


async def test_users_of_all_masters_are_heard(running_cluster, start_node):
    """Each user's events in order, whichever master has the shard; everybody's as well."""
    here, there = [await start_node(running_cluster.url, follows=USERS) for _ in range(2)]
    for seq in range(1, 6):
        here.bus.publish([event(seq, user_id=user_id) for user_id in USERS])
    here.bus.publish_ephemeral(None, "/chat", "user_online", {"user_id": 1})
    heard = [await there.next() for _ in range(5 * len(USERS) + 1)]
    events = [one for one in heard if one[0] is not None]

    assert 3 == len({running_cluster.holder(shard_channel(user_id)).port for user_id in USERS})
    assert {user_id: [1, 2, 3, 4, 5] for user_id in USERS} == {
        user_id: [one.seq for one in events if one.user_id == user_id] for user_id in USERS
    }
    assert {} == dict(there.bus.dropped)


@pytest.mark.parametrize("channel", [shard_channel("alice"), EVERYBODY], ids=["shard", "everybody"])
async def test_a_slot_that_moves_is_followed(running_cluster, start_node, caplog, channel):
    """Who listens subscribes at the new master and looks for a gap, who publishes goes there; it is no outage."""
    here, there = [await start_node(running_cluster.url, follows=["alice", *USERS]) for _ in range(2)]
    first, second = [
        event(seq) if channel != EVERYBODY else event(seq, namespace="/chat", name="block_changed") for seq in (1, 2)
    ]
    running_cluster.move(channel)
    await there.next_gap()
    here.bus.publish([first])
    # The one that met the move tells only where to look.
    assert await there.next() in (first, first.key)
    here.bus.publish([second])
    assert second == await there.next()
    # The master that had it is listened to as before, though what proved that may have moved away with the slot.
    await until(lambda: here.bus.is_connected and there.bus.is_connected)
    here.bus.publish([event(3, user_id=user_id) for user_id in USERS])

    assert set(USERS) == {(await there.next()).user_id for _ in USERS}
    assert [] == told(caplog)
    assert [0, 0] == [node.bus.stats["deaf"] for node in (here, there)]


async def test_the_url_of_one_server_of_a_cluster_is_told_to_be_wrong(running_cluster, caplog):
    """The line says how to name a Cluster; events come by the sweep of heads."""
    node = Node(running_cluster.url.partition(",")[0].replace("+cluster", ""), follows=USERS)
    await node.bus.start()
    await until(lambda: node.bus._link.lost)
    await node.bus.stop()

    assert "redis+cluster://" in caplog.text


async def test_a_master_that_is_killed_is_replaced(running_cluster, start_node, caplog):
    """Its replica takes over and everything is heard again: one line when it begins and one when it ends."""
    here, there = [await start_node(running_cluster.url, follows=USERS) for _ in range(2)]
    dead = running_cluster.holder(shard_channel(USERS[0]))
    dead.kill()
    await until(lambda: there.bus._link.lost)
    here.bus.publish([event(1, user_id=user_id) for user_id in USERS])
    await until(lambda: here.bus.is_connected and there.bus.is_connected)
    here.bus.publish([event(2, user_id=user_id) for user_id in USERS])
    heard = []
    while len([one for one in heard if getattr(one, "seq", 0) == 2]) < len(USERS):
        heard.append(await there.next())

    assert running_cluster.holder(shard_channel(USERS[0])) is not dead
    # What was said before it listened again is a gap, and the log has it.
    assert not there.gaps.empty()
    assert ["Redis can't be reached"] * 2 + ["Redis is back"] * 2 == told(caplog)


async def test_sentinels_tell_of_the_new_master(tmp_path, start_node, caplog):
    """A master is killed, its replica promoted, and the nodes hear each other there."""
    with sentinels(tmp_path) as group:
        here, there = [await start_node(group.url) for _ in range(2)]
        here.bus.publish([event(1)])
        first = await there.next()
        group.master.kill()
        await until(lambda: there.bus._link.lost and here.bus._link.lost)
        here.bus.publish([event(2)])
        await until(lambda: here.bus.is_connected and there.bus.is_connected)
        here.bus.publish([event(3)])
        while event(3) != await there.next():
            pass

    assert event(1) == first
    assert not there.gaps.empty()
    assert ["Redis can't be reached"] * 2 + ["Redis is back"] * 2 == told(caplog)
