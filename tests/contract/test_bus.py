"""What every bus guarantees within one node."""

import asyncio

import pytest

from tests.bus_nodes import Node, event, starting, until
from tocsin.adapters.bus_local import LocalBus
from tocsin.adapters.bus_redis import RedisBus
from tocsin.domain.stream import StreamKey

KEY = "a key for tests, of more than thirty-two bytes"


@pytest.fixture(params=["local", "redis", "redis-signed", "redis-plain", "redis-unreachable"])
async def bus(request):
    if request.param == "local":
        bus = LocalBus()
    else:
        bus = RedisBus(url_for(request), epoch=lambda: "epoch-1", key=KEY if "signed" in request.param else None)
    yield bus
    await bus.stop()


def url_for(request):
    kind = request.param.partition("-")[2]
    if kind == "unreachable":
        return "redis://127.0.0.1:1/0"
    return request.getfixturevalue("plain_url" if kind == "plain" else "redis_url")


async def test_events_arrive_in_commit_order(bus):
    """What is published in turn arrives in turn, before publishing returns."""
    heard = []
    bus.subscribe(lambda events: heard.extend(one.seq for one in events), lambda *_: None, lambda _: None)
    await bus.start()

    bus.publish([event(1), event(2)])
    bus.publish([event(3)])

    assert [1, 2, 3] == heard


async def test_an_ephemeral_event_keeps_its_parts(bus):
    """User, namespace, event and payload arrive as they were published, before publishing returns."""
    heard = []
    bus.subscribe(lambda events: None, lambda *parts: heard.append(parts), lambda _: None)
    await bus.start()

    bus.publish_ephemeral("bob", "/chat", "user_typing", {"user_id": 1, "is_typing": True})

    assert [("bob", "/chat", "user_typing", {"user_id": 1, "is_typing": True})] == heard


async def test_a_wake_up_tells_of_its_streams(bus):
    """The keys arrive before waking returns."""
    heard = []
    bus.subscribe(lambda events: None, lambda *_: None, heard.extend)
    await bus.start()

    bus.wake([StreamKey("alice", "/orders")])

    assert [StreamKey("alice", "/orders")] == heard


async def test_a_node_that_does_not_listen_misses_nothing_it_needs(bus):
    """Publishing before a subscription is no error: the log has it."""
    heard = []
    bus.publish([event(1)])
    bus.publish_ephemeral("bob", "/chat", "user_typing", {})

    bus.subscribe(heard.extend, lambda *_: None, lambda _: None)

    assert [] == heard


async def test_publishing_goes_on_after_the_stop(bus):
    """This node hears what is committed last."""
    heard = []
    bus.subscribe(heard.extend, lambda *_: None, lambda _: None)
    await bus.start()
    await bus.stop()
    bus.publish([event(1)])

    assert [event(1)] == heard


# Between nodes


@pytest.fixture(params=["sharded", "plain"])
def any_url(request):
    return request.getfixturevalue("redis_url" if request.param == "sharded" else "plain_url")


@pytest.fixture
async def start_node():
    """Start nodes; all are stopped after the test."""
    async with starting() as start:
        yield start


@pytest.mark.parametrize("key", [None, KEY])
async def test_another_node_hears_everything_in_order(any_url, start_node, key):
    """Events of a user come in commit order, unchanged, and each once."""
    here, there = await start_node(any_url, key=key), await start_node(any_url, key=key)
    events = [event(seq, payload='{"text":"안녕 \\" \\\\ 👋"}'.encode()) for seq in range(1, 2001)]
    for start in range(0, 2000, 7):
        here.bus.publish(events[start : start + 7])

    assert events == [await there.next() for _ in events]
    here.bus.wake([StreamKey("alice", "/chat")])
    assert StreamKey("alice", "/chat") == await there.next()
    here.bus.publish_ephemeral("alice", "/chat", "user_typing", {"is_typing": True})
    assert ("alice", "/chat", "user_typing", {"is_typing": True}) == await there.next()
    here.bus.publish_ephemeral(None, "/chat", "user_online", {"user_id": 1})
    assert (None, "/chat", "user_online", {"user_id": 1}) == await there.next()
    assert 0 == there.heard.qsize()
    assert {} == dict(there.bus.dropped)


async def test_a_node_does_not_hear_itself_through_redis(redis_url, start_node):
    """What it published was handled at once; its echo is left alone."""
    here, there = await start_node(redis_url), await start_node(redis_url)
    here.bus.publish([event(1)])
    await there.next()
    there.bus.publish([event(2)])

    assert [event(1), event(2)] == [await here.next(), await here.next()]
    assert 0 == here.heard.qsize()


async def test_a_process_that_only_publishes_is_heard(redis_url, start_node):
    """What it published before its connection was there tells where to look, and its stop waits for it."""
    there = await start_node(redis_url)
    writer = await start_node(redis_url, listens=False)
    writer.bus.publish([event(1)])
    await writer.bus.stop()

    assert event(1).key == await there.next()


async def test_a_payload_too_big_for_a_message_comes_as_a_wake_up(redis_url, start_node):
    """The log holds it; the order of what surrounds it stays."""
    here, there = await start_node(redis_url), await start_node(redis_url)
    here.bus.publish([event(1), event(2, payload=b'{"x":"%s"}' % (b"x" * 140_000)), event(3)])

    assert [event(1), event(2).key, event(3)] == [await there.next() for _ in range(3)]


async def test_another_database_tells_only_where_to_look(redis_url, start_node):
    """Two installations may share a server: no event of one is shown by the other."""
    here, there = await start_node(redis_url), await start_node(redis_url, epoch="epoch-2")
    here.bus.publish_ephemeral("alice", "/chat", "user_typing", {})
    here.bus.publish([event(1)])

    assert event(1).key == await there.next()
    assert {"other_database": 1} == dict(there.bus.dropped)


@pytest.mark.parametrize(
    ("sender_key", "reason"), [(None, "unsigned"), ("another key, also of thirty-two bytes", "wrong_signature")]
)
async def test_what_is_not_signed_with_the_key_is_dropped(redis_url, start_node, sender_key, reason):
    """A forger without the key reaches nobody; the drop is counted."""
    forger, there = await start_node(redis_url, key=sender_key), await start_node(redis_url, key=KEY)
    friend = await start_node(redis_url, key=KEY)
    forger.bus.publish([event(1)])
    await forger.sent()
    friend.bus.publish([event(2)])

    assert event(2) == await there.next()
    assert {reason: 1} == dict(there.bus.dropped)


async def test_what_waits_is_bounded(start_node):
    """Without a server the oldest wake-ups go; the sweep finds what they told of."""
    node = Node("redis://127.0.0.1:1/0")
    for seq in range(12_000):
        node.bus.publish([event(1, user_id=str(seq))])

    assert 10_000 == node.bus.stats["waiting"]
    assert {"queue_full": 2_000} == dict(node.bus.dropped)
    assert 12_000 == node.heard.qsize()


async def test_a_handler_that_fails_ends_nothing(redis_url, start_node, caplog):
    """The next message is handed on."""
    here, there = await start_node(redis_url), Node(redis_url, listens=False)
    heard = asyncio.Queue()

    def on_events(events):
        if events[0].seq == 1:
            raise RuntimeError("of the test")
        heard.put_nowait(events[0])

    gap = asyncio.Event()
    there.bus.subscribe(on_events, lambda *_: None, lambda _: None, gap.set)
    there.bus.follow("alice")
    await there.bus.start()
    await asyncio.wait_for(gap.wait(), 20)
    for seq in (1, 2):
        here.bus.publish([event(seq)])
        await here.sent()

    assert event(2) == await asyncio.wait_for(heard.get(), 20)
    assert {"failed": 1} == dict(there.bus.dropped)
    await there.bus.stop()


async def test_a_server_that_falls_silent_is_noticed(own_valkey, start_node, monkeypatch):
    """A link that is dead without an end is given up, and made again when the server answers."""
    for name in ("link", "outbox", "inbox"):
        monkeypatch.setattr(f"tocsin.adapters.bus_redis.{name}.ANSWER_S", 0.3)
    for name in ("outbox", "inbox"):
        monkeypatch.setattr(f"tocsin.adapters.bus_redis.{name}.PING_S", 0.1)
    here, there = await start_node(own_valkey.url), await start_node(own_valkey.url)
    own_valkey.pause()
    await until(lambda: len(there.bus._link.lost) == 2)
    own_valkey.go_on()
    await there.ready()
    await until(lambda: not here.bus._link.lost)
    here.bus.publish([event(1)])

    assert event(1) == await there.next()
