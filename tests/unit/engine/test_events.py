"""Events from the wire: which reach a handler, in which order, and what is acked."""

import asyncio
import json
import logging

import orjson
import pytest

from tests.unit.engine.clients import Client, connected, settle
from tocsin.engine import EventRefused, Limits, SocketServer


@pytest.fixture
def server():
    return SocketServer()


@pytest.mark.parametrize(
    "name", ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
)
async def test_reserved_events_never_reach_a_handler(server, name):
    """They can't be registered, and from the wire they close."""
    with pytest.raises(ValueError, match="reserved"):
        server.on(name)
    server.add_namespace("/")
    client = await connected(server, f'42["{name}","x"]')

    assert client.connection.closed


@pytest.mark.parametrize(
    ("result", "ack"),
    [(None, "[]"), (1, "[1]"), ((1, 2), "[1,2]"), ([1, 2], "[[1,2]]"), ({"a": None}, '[{"a":null}]'), ((), "[]")],
)
async def test_a_result_is_acked(server, result, ack):
    """Nothing, one value, or the items of a tuple; the same for sync and async."""
    server.on("sync")(lambda socket: result)

    @server.on("async")
    async def handler(socket):
        await asyncio.sleep(0)
        return result

    client = await connected(server, '421["sync"]', '422["async"]')
    client.say('423["sync"]', '424["async"]', '42["sync"]')

    assert [f"433{ack}", f"434{ack}"] == await client.said()


@pytest.mark.parametrize("namespace", ["/", "/chat"])
async def test_ids_of_any_length_are_echoed(server, namespace):
    """From 0 to 2^53; anything that is no such number closes."""
    server.on("x", namespace)(lambda socket: None)
    server.add_namespace("/")
    prefix = "" if namespace == "/" else f"{namespace},"
    client = Client(server).say(f"40{prefix}")
    await client.said()
    for id_ in ("0", "7", "9007199254740992"):
        assert [f"43{prefix}{id_}[]"] == await client.say(f'42{prefix}{id_}["x"]').said()

    assert client.say(f'42{prefix}01["x"]').connection.closed


@pytest.mark.parametrize(
    "packet", ['42+1["x"]', '4212345678901234567["x"]', '42²["x"]', '42/chat["x"]', '42["x"', '42["x"] x']
)
async def test_nearly_an_event_closes(server, packet):
    """The short way takes nothing that the strict one would not."""
    calls = []
    server.on("x")(lambda socket: calls.append("x"))

    assert (await connected(server, packet)).connection.closed
    assert [] == calls


async def test_deep_payloads_close(server):
    """The bound on depth holds on the short way as well."""
    server.on("x")(lambda socket, value: None)
    client = await connected(server, '42["x",' + "[" * 60 + "]" * 60 + "]")
    assert not client.connection.closed

    assert client.say('42["x",' + "[" * 70 + "]" * 70 + "]").connection.closed


async def test_refused_and_failed_events(server, caplog):
    """A refusal acks its problem, a failure a generic one; the connection survives both."""

    @server.on("refused")
    def refused(socket):
        raise EventRefused({"ok": False, "code": "no"})

    @server.on("failed")
    async def failed(socket):
        raise RuntimeError("a secret")

    client = await connected(server)
    with caplog.at_level(logging.ERROR):
        heard = await client.say('421["refused"]', '422["failed"]').said()

    assert '431[{"ok":false,"code":"no"}]' == heard[0]
    assert {"ok": False, "code": "internal_error"}.items() <= orjson.loads(heard[1][3:])[0].items()
    assert "a secret" not in heard[1]
    assert "a secret" in caplog.text
    assert not client.connection.closed


async def test_a_result_without_json_form_is_a_failure(server):
    """The client gets the generic problem instead of silence."""
    server.on("x")(lambda socket: object())
    client = await connected(server)

    assert '"internal_error"' in (await client.say('421["x"]').said())[0]


@pytest.mark.parametrize(
    ("packet", "code"), [('421["nobody"]', "unknown_event"), ('421["x"]', "invalid"), ('421["x",1,2,3]', "invalid")]
)
async def test_events_that_cannot_be_called(server, packet, code):
    """Unknown names and wrong numbers of arguments are acked, and run nothing."""
    server.on("x")(lambda socket, a, b=None: None)
    client = await connected(server)

    answer = (await client.say(packet).said())[0]
    (problem,) = json.loads(answer[answer.index("[") :])

    assert (False, code) == (problem["ok"], problem["code"])
    assert {"type", "title", "status", "detail", "retryable"} <= problem.keys()
    assert [] == await client.say(packet.replace("421", "42")).said()
    assert not client.connection.closed


async def test_events_start_in_order(server):
    """A sync handler does not overtake an async one that came before."""
    started = []

    @server.on("async")
    async def slow(socket, n):
        started.append(n)
        await asyncio.sleep(0)

    server.on("sync")(lambda socket, n: started.append(n))
    client = await connected(server)
    client.say('42["async",1]', '42["sync",2]', '42["async",3]', '42["sync",4]')
    await settle()
    client.say('42["sync",5]')

    assert [1, 2, 3, 4, 5] == started


@pytest.mark.parametrize("bound", [{"handlers_in_flight": 2}, {"in_flight_bytes": 14}])
async def test_many_or_big_events_pause_reading(bound):
    """Beyond the bound in flight nothing more is read until one ends."""
    server = SocketServer(limits=Limits(**bound))
    hold = asyncio.Event()

    @server.on("x")
    async def handler(socket):
        await hold.wait()

    client = await connected(server)
    client.say('42["x"]')
    assert client.tcp.is_reading
    client.say('42["x"]')
    assert not client.tcp.is_reading
    hold.set()
    await settle()

    assert client.tcp.is_reading


async def test_a_flood_of_events_is_refused_then_closed():
    """Beyond the rate: acked rate_limited; persistence closes."""
    server = SocketServer(limits=Limits(events_per_s=0.001, events_burst=3, max_refused_events=5))
    server.on("x")(lambda socket: None)
    client = await connected(server)
    client.say('421["x"]', '422["x"]', '423["x"]')

    heard = await client.said()
    assert ["431[]", "432[]"] == heard[:2]
    assert heard[2].startswith('433[{"ok":false')
    assert '"rate_limited"' in heard[2]
    client.say(*['42["x"]'] * 5)
    assert client.connection.closed
