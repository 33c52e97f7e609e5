"""Redis is killed, empty, full of garbage, deaf or locked: events arrive all the same, in order and once."""

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager

import orjson
from redis.asyncio import Redis

from tests.acceptance.wire_socket import connected, eventually
from tests.conftest import SECRET
from tests.processes import environment, serving, writing
from tests.valkey import valkey
from tocsin.adapters.bus_redis.channels import EVERYBODY, shard_channel
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.bootstrap import Core
from tocsin.settings import Settings

NS = "/orders"


@asynccontextmanager
async def core_on(settings, **changes):
    """Open the use-cases as a process without sockets does."""
    core = Core(Settings(_env_file=None, **(settings.model_dump() | changes)))
    await core.start()
    try:
        yield core
    finally:
        await core.stop()


async def publish(core, order_id):
    return await core.activity.publish(NS, "order_updated", ["7"], {"order_id": order_id})


def orders(events):
    return [(payload["seq"], payload["order_id"]) for name, payload in events if name == "order_updated"]


async def test_redis_killed_while_events_flow_loses_nothing(tmp_path, own_valkey):
    """Two processes, Redis killed and started again between them: every event, in order, once, and one line each."""
    env = environment(tmp_path / "tocsin.db", TOCSIN_REDIS_URL=own_valkey.url)
    token = issue_token(Settings(_env_file=None, jwt_secret=SECRET), "7", ttl_s=600)
    async with (
        serving(tmp_path, env) as (url, server),
        writing(tmp_path, env) as writer,
        connected(url, NS, token) as socket,
    ):
        sent = 0

        async def flow(number):
            nonlocal sent
            for _ in range(number):
                sent += 1
                assert str(sent) == await writer.ask(str(sent))

        await flow(50)
        own_valkey.kill()
        await flow(50)
        await eventually(lambda: b"can't be reached" in server.errors.read_bytes())
        own_valkey.start()
        await flow(50)
        for process in (server, writer):
            # A pipe tells of what is written, not a test's patience: a back-off of seconds is in order here.
            await eventually(
                lambda process=process: b"Redis is back" in process.errors.read_bytes() or process is writer
            )
        await flow(50)
        got = []
        while len(got) < sent:
            got += orders([await socket.next(NS)])
        await server.stop()
        log = server.errors.read_text()

    assert [(seq, seq) for seq in range(1, sent + 1)] == got
    assert 1 == log.count("can't be reached")
    assert 1 == log.count("Redis is back")


async def test_an_emptied_redis_holds_nothing_that_is_missed(start_server, own_valkey):
    """FLUSHALL changes nothing: Redis keeps nothing of ours."""
    server = start_server(redis_url=own_valkey.url)
    async with (
        Redis.from_url(own_valkey.url) as redis,
        core_on(server.settings) as core,
        connected(server.url, NS, server.mint(7)) as socket,
    ):
        await publish(core, 1)
        await redis.flushall()
        await publish(core, 2)
        first, second = [await socket.payload(NS, "order_updated") for _ in range(2)]
        keys = await redis.dbsize()

    assert [(1, 1), (2, 2)] == [(event["seq"], event["order_id"]) for event in (first, second)]
    assert 0 == keys


async def test_garbage_in_the_channels_disturbs_nobody(start_server, redis_url, caplog):
    """Bytes, other JSON, forged events without the key: dropped and counted, and the next event arrives."""
    key = "a key for tests, of more than thirty-two bytes"
    server = start_server(redis_url=redis_url, bus_key=key)
    epoch = server.service.store.epoch
    forged = ["7", NS, 1, "x", "order_updated", '{"order_id":"forged"}', 0]
    garbage = [
        b"",
        b"\x00\xff" * 1000,
        b"null",
        b"[" * 100_000,
        b"a" * 1_200_000,
        b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.",
        orjson.dumps({"v": 1, "node": "x", "epoch": epoch, "kind": "events", "items": [forged]}),
        b"0" * 64 + orjson.dumps({"v": 1, "node": "x", "epoch": epoch, "kind": "events", "items": [forged]}),
    ]
    channels = [shard_channel("7"), EVERYBODY]
    async with Redis.from_url(redis_url) as redis, connected(server.url, NS, server.mint(7)) as socket:
        dropped = server.service.bus.dropped
        await eventually(lambda: server.service.bus.stats["is_connected"])
        await eventually(lambda: subscribed(redis))
        for channel in channels:
            for text in garbage:
                await redis.execute_command("SPUBLISH", channel, text)
        await eventually(lambda: dropped.total() >= len(channels) * len(garbage))
        async with core_on(server.settings, bus_key=key) as core:
            await publish(core, 1)
        heard = await socket.payload(NS, "order_updated")

    assert (1, 1) == (heard["seq"], heard["order_id"])
    assert {"unsigned", "wrong_signature", "too_big"} == set(dropped)
    assert len(channels) * len(garbage) == dropped.total()
    assert 3 == sum("dropped" in record.getMessage() for record in caplog.records)


async def subscribed(redis):
    counted = await redis.execute_command("PUBSUB", "SHARDNUMSUB", EVERYBODY)
    return counted[-1]


@asynccontextmanager
async def deaf_server():
    """Listen, accept and never answer."""
    accepted = []

    async def keep(reader, writer):
        accepted.append(writer)
        await reader.read()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    try:
        yield f"redis://:geheim@127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
        for writer in accepted:
            writer.close()


async def test_without_a_usable_redis_the_server_serves_and_the_sweep_delivers(start_server, tmp_path, caplog):
    """One that hangs, one that is not there, one with another password: each is one line without the password."""
    (tmp_path / "locked").mkdir()
    caplog.set_level(logging.INFO, "tocsin")
    async with AsyncExitStack() as stack:
        locked = stack.enter_context(valkey(tmp_path / "locked", requirepass="other"))
        urls = [
            await stack.enter_async_context(deaf_server()),
            "redis://:geheim@127.0.0.1:1/0",
            locked.url.replace("other", "geheim"),
        ]
        servers = [start_server(redis_url=url) for url in urls]
        sockets = [await stack.enter_async_context(connected(server.url, NS, server.mint(7))) for server in servers]
        for server in servers:
            async with core_on(server.settings) as core:
                await publish(core, 1)
        heard = await asyncio.gather(*(socket.payload(NS, "order_updated") for socket in sockets))
        await eventually(lambda: all(server.service.bus._link.lost for server in servers))
        statuses = [server.http.get("/readyz").status_code for server in servers]
    lines = [record.getMessage() for record in caplog.records if "Redis" in record.getMessage()]

    assert [1, 1, 1] == [event["order_id"] for event in heard]
    assert {200} == set(statuses)
    # Three servers; a writer that ended before its Redis had failed says nothing.
    assert 3 <= len(lines) <= 6, lines
    assert "geheim" not in caplog.text
