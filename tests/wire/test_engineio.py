"""Engine.IO v4 over real connections: handshake, messages, heartbeat, end."""

import asyncio
import json

import pytest

from tests.wire.apps import engine_app
from tests.wire.clients import CLOSE, PING, PONG, TEXT, Client, Closed, client_frame, closing
from tests.wire.conftest import Serve, eventually
from tocsin.engine import Limits

HANDSHAKE_KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


async def test_polling_handshake(engine: Client):
    """A GET without sid opens a session and announces exactly the five fields."""
    answer = await engine.request("GET", "EIO=4&transport=polling")

    assert 200 == answer.status_code
    assert "text/plain; charset=utf-8" == answer.headers["Content-Type"].lower()
    assert answer.text.startswith("0")
    handshake = json.loads(answer.text[1:])
    assert HANDSHAKE_KEYS == handshake.keys()
    assert ["websocket"] == handshake["upgrades"]
    assert (25_000, 20_000, 1_000_000) == tuple(handshake[key] for key in ("pingInterval", "pingTimeout", "maxPayload"))


async def test_websocket_handshake(engine: Client):
    """A WebSocket without sid opens a session that offers no upgrade."""
    async with await engine.websocket() as socket:
        message = await socket.receive()

    assert isinstance(message, str)
    handshake = json.loads(message[1:])
    assert HANDSHAKE_KEYS == handshake.keys()
    assert [] == handshake["upgrades"]


async def test_session_ids_are_secrets(engine: Client):
    """Session ids don't repeat and are too long to guess."""
    sids = {await engine.polling_session() for _ in range(20)}

    assert 20 == len(sids)
    assert min(map(len, sids)) >= 20


BAD_QUERIES = ["", "transport={0}", "EIO=abc&transport={0}", "EIO=3&transport={0}", "EIO=4", "EIO=4&transport=abc"]


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_polling_refuses_bad_queries(engine: Client, query):
    """EIO has to be 4 and the transport a known one."""
    assert 400 == (await engine.request("GET", query.format("polling"))).status_code


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_websocket_refuses_bad_queries(engine: Client, query):
    """A bad query gets no WebSocket."""
    async with await engine.upgrade(query.format("websocket")) as socket:
        assert 400 == socket.answer.status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_only_get_opens_a_session(engine: Client, method):
    """Any other method without sid is refused."""
    answer = await engine.request(method, "EIO=4&transport=polling", b"4a")

    assert answer.status_code in ({400} if method in ("POST", "PUT") else {400, 405})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_sessions_are_refused(engine: Client, method):
    """A sid that nobody was given is refused."""
    answer = await engine.request(method, "EIO=4&transport=polling&sid=unknown", b"4a" if method == "POST" else None)

    assert 400 == answer.status_code


async def test_websocket_of_an_unknown_session_is_refused(engine: Client):
    """No WebSocket can join a session that isn't there."""
    async with await engine.upgrade("EIO=4&transport=websocket&sid=unknown") as socket:
        assert 400 == socket.answer.status


async def test_polling_refuses_the_wrong_transport(engine: Client):
    """A plain GET that says websocket is no poll."""
    sid = await engine.polling_session()

    assert 400 == (await engine.request("GET", f"EIO=4&transport=websocket&sid={sid}")).status_code
    assert 200 == (await engine.push(sid, "4still here")).status_code


@pytest.mark.parametrize(
    "body",
    ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "bAQIDBA==", "4", "4h\u00e9llo \U0001f514\x1e4"],
)
async def test_polling_echoes(engine: Client, body):
    """A POST is answered ``ok``, and the next GET brings the same packets."""
    sid = await engine.polling_session()

    pushed = await engine.push(sid, body)
    assert (200, "ok") == (pushed.status_code, pushed.text)
    polled = await engine.poll(sid)
    assert (200, body) == (polled.status_code, polled.text)


async def test_a_waiting_poll_is_answered(engine: Client):
    """A GET that waits gets what comes later."""
    sid = await engine.polling_session()
    poll = asyncio.create_task(engine.poll(sid))
    await asyncio.sleep(0.05)
    assert 200 == (await engine.push(sid, "4later")).status_code

    assert "4later" == (await poll).text


@pytest.mark.parametrize(
    "body",
    [
        b"abc",
        b"",
        b"7",
        b"4a\x1e",
        b"4a\x1exyz",
        b"b!!!",
        b"bAQI",
        b"4\xff\xfe",
        b"0{}",
        b"2",
        b"2probe",
        b"5",
        b"6",
        b"3more",
        b"1more",
        b"\x1e".join([b"4a"] * 17),
        b"\x1e".join([b"3"] * 20),
    ],
)
async def test_polling_ends_upon_malformed_bodies(engine: Client, body):
    """Nothing of a malformed body is answered OK: 400, and the session is gone."""
    sid = await engine.polling_session()

    assert 400 == (await engine.push(sid, body)).status_code
    assert 400 == (await engine.poll(sid)).status_code


async def test_sixteen_packets_are_taken(engine: Client):
    """As many packets as the bound allows are all echoed."""
    sid = await engine.polling_session()
    body = "\x1e".join(f"4{n}" for n in range(16))

    assert 200 == (await engine.push(sid, body)).status_code
    assert body == (await engine.poll(sid)).text


async def test_a_second_poll_ends_the_session(engine: Client):
    """Of two GETs at once the second is refused; the first learns that the session is closed."""
    sid = await engine.polling_session()
    first = asyncio.create_task(engine.poll(sid))
    await asyncio.sleep(0.1)
    second = await engine.poll(sid)

    assert second.status_code in (400, 500)
    assert (200, "1") == ((await first).status_code, (await first).text)
    assert 400 == (await engine.poll(sid)).status_code


async def test_an_aborted_poll_ends_the_session(serve: Serve):
    """A client that hangs up during a GET is gone."""
    server = engine_app()
    client = serve(server)
    sid = await client.polling_session()
    _reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {client.path}?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await writer.drain()
    writer.close()

    await eventually(lambda: 0 == server.stats["connections"])
    assert 400 == (await client.poll(sid)).status_code


@pytest.mark.own_doors
async def test_a_client_that_never_answers_the_close_is_cut(serve: Serve):
    """The closing handshake has a deadline."""
    client = serve(engine_app(limits=Limits(close_deadline_s=0.2)))
    async with await client.session() as socket:
        await socket.send("malformed")
        assert (CLOSE, 1002) == closing(await socket.frame())
        assert await socket.cut()


async def test_close_over_polling(engine: Client):
    """A close packet answers the waiting GET with a noop and ends the session."""
    sid = await engine.polling_session()
    poll = asyncio.create_task(engine.poll(sid))
    await asyncio.sleep(0.1)

    assert 200 == (await engine.push(sid, "1")).status_code
    assert (200, "6") == ((await poll).status_code, (await poll).text)
    assert 400 == (await engine.poll(sid)).status_code


@pytest.mark.parametrize(
    "message", ["4hello", "4", "4h\u00e9llo \U0001f514", b"\x01\x02\x03\x04", b"", "4" + "x" * 70_000]
)
async def test_websocket_echoes(engine: Client, message):
    """Text and binary come back unchanged."""
    async with await engine.session() as socket:
        await socket.send(message)

        assert message == await socket.receive()


@pytest.mark.parametrize("message", ["abc", "", "0{}", "2", "2probe", "5", "6", "7", "3x"])
async def test_websocket_ends_upon_malformed_packets(engine: Client, message):
    """A packet that no client may send closes the connection."""
    async with await engine.session() as socket:
        await socket.send(message)

        assert 1002 == await socket.close_code()
        assert await socket.cut()


async def test_close_over_websocket(engine: Client):
    """A close packet ends the connection, cleanly."""
    async with await engine.session() as socket:
        await socket.send("1")

        assert 1000 == await socket.close_code()
        assert await socket.cut()


async def test_fragments_and_control_frames(engine: Client):
    """A message in fragments is echoed whole, a ping between them is answered at once."""
    async with await engine.session() as socket:
        await socket.send_raw(client_frame(TEXT, b"4ab", final=False))
        await socket.send_raw(client_frame(PING, b"hi"))
        assert (PONG, b"hi") == await socket.frame()
        await socket.send_raw(client_frame(0, b"cd"))

        assert "4abcd" == await socket.receive()


async def test_closing_handshake(engine: Client):
    """A close frame is answered with the same code, then the server cuts."""
    async with await engine.session() as socket:
        await socket.send_raw(client_frame(CLOSE, (4001).to_bytes(2, "big") + b"bye"))

        assert (CLOSE, 4001) == closing(await socket.frame())
        assert await socket.cut()


async def test_polling_heartbeat(quick_engine: Client):
    """The server pings; as long as pongs come back the session lives."""
    sid = await quick_engine.polling_session()
    for _ in range(3):
        assert "2" == (await quick_engine.poll(sid)).text
        assert 200 == (await quick_engine.push(sid, "3")).status_code

    assert 200 == (await quick_engine.push(sid, "4alive")).status_code


async def test_polling_without_pong_ends(quick_engine: Client):
    """A session whose client doesn't answer the ping is gone after interval and timeout."""
    sid = await quick_engine.polling_session()
    assert "2" == (await quick_engine.poll(sid)).text

    async def is_gone() -> bool:
        return 400 == (await quick_engine.poll(sid)).status_code

    await eventually(is_gone)


async def test_a_session_nobody_polls_ends(quick_engine: Client):
    """A client that has gone without a word is forgotten."""
    sid = await quick_engine.polling_session()
    await asyncio.sleep(0.55)

    assert 400 == (await quick_engine.poll(sid)).status_code


async def test_websocket_heartbeat(quick_engine: Client):
    """The server pings a WebSocket; as long as pongs come back it stays open."""
    async with await quick_engine.session() as socket:
        for _ in range(3):
            assert "2" == await socket.receive()
            await socket.send("3")
        await socket.send("4alive")

        assert "4alive" == await socket.receive()


async def test_websocket_without_pong_ends(quick_engine: Client):
    """A WebSocket whose client doesn't answer the ping is closed; messages are no pong."""
    async with await quick_engine.session() as socket:
        assert "2" == await socket.receive()

        async def talk() -> None:
            while True:
                await socket.send("4noise")
                assert "4noise" == await socket.receive()
                await asyncio.sleep(0.02)

        with pytest.raises(Closed):
            await talk()
