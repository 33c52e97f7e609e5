"""From polling to WebSocket (Engine.IO v4, "Upgrade"), and WebSockets that are none."""

import asyncio

import pytest

from tests.wire.clients import TEXT, Client, Closed, client_frame
from tests.wire.conftest import eventually


async def probe(engine: Client, sid: str):
    """Open the WebSocket of a polling session, up to the answered probe."""
    socket = await engine.websocket(f"EIO=4&transport=websocket&sid={sid}")
    await socket.send("2probe")
    assert "3probe" == await socket.receive()
    return socket


async def test_upgrade(engine: Client):
    """Probe, a noop for the waiting poll, confirmation: then everything goes over the WebSocket."""
    sid = await engine.polling_session()
    poll = asyncio.create_task(engine.poll(sid))
    await asyncio.sleep(0.1)
    async with await probe(engine, sid) as socket:
        assert (200, "6") == ((await poll).status_code, (await poll).text)
        await socket.send("5")
        await socket.send("4hello")

        assert "4hello" == await socket.receive()


async def test_a_poll_after_the_probe_is_released(engine: Client):
    """A GET that arrives after the probe gets the noop as well."""
    sid = await engine.polling_session()
    async with await probe(engine, sid):
        poll = await engine.poll(sid)

        assert (200, "6") == (poll.status_code, poll.text)


async def test_nothing_is_lost_by_an_upgrade(engine: Client):
    """What the session says between probe and confirmation arrives once, in order."""
    sid = await engine.polling_session()
    async with await probe(engine, sid) as socket:
        poll = await engine.poll(sid)
        await engine.push(sid, "41\x1e42")
        await engine.push(sid, "43")
        received = [] if poll.text == "6" else poll.text.split("\x1e")
        await socket.send("5")
        await socket.send("44")
        while "44" not in received:
            received.append(await socket.receive())

    assert ["41", "42", "43", "44"] == received


async def test_polling_ends_with_the_upgrade(engine: Client):
    """After the upgrade a poll is refused, and the WebSocket doesn't notice."""
    sid = await engine.polling_session()
    async with await probe(engine, sid) as socket:
        await socket.send("5")
        await socket.send("4first")
        assert "4first" == await socket.receive()

        assert 400 == (await engine.poll(sid)).status_code
        assert 400 == (await engine.push(sid, "4a")).status_code
        await socket.send("4hello")
        assert "4hello" == await socket.receive()


async def test_a_second_websocket_is_closed(engine: Client):
    """A second WebSocket for an upgraded session is accepted, then closed; the first goes on."""
    sid = await engine.polling_session()
    async with await probe(engine, sid) as socket:
        await socket.send("5")
        await socket.send("4first")
        assert "4first" == await socket.receive()
        async with await engine.websocket(f"EIO=4&transport=websocket&sid={sid}") as second:
            with pytest.raises(Closed):
                await second.receive()
        await socket.send("4hello")

        assert "4hello" == await socket.receive()


async def test_a_failed_probe_leaves_the_session(engine: Client):
    """A WebSocket that goes away before the confirmation changes nothing."""
    sid = await engine.polling_session()
    async with await probe(engine, sid):
        pass

    async def polls_on() -> bool:
        await engine.push(sid, "4hello")
        return "4hello" in (await engine.poll(sid)).text

    await eventually(polls_on)


@pytest.mark.parametrize("first", ["4hello", "5", "2", "3probe", "abc", b"2probe"])
async def test_a_probe_comes_first(engine: Client, first):
    """Anything else on the WebSocket of a polling session closes it; the session goes on."""
    sid = await engine.polling_session()
    async with await engine.websocket(f"EIO=4&transport=websocket&sid={sid}") as socket:
        await socket.send(first)
        with pytest.raises(Closed):
            await socket.receive()

    assert 200 == (await engine.push(sid, "4still here")).status_code


async def test_the_session_of_another_transport_cannot_be_upgraded(engine: Client):
    """A session that began as WebSocket takes no second one."""
    async with await engine.websocket() as socket:
        sid = str(await socket.receive()).partition('"sid":"')[2].partition('"')[0]
        async with await engine.upgrade(f"EIO=4&transport=websocket&sid={sid}") as second:
            if 101 == second.answer.status:
                with pytest.raises(Closed):
                    await second.receive()
        await socket.send("4hello")

        assert "4hello" == await socket.receive()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"Sec_WebSocket_Key": None}, id="no key"),
        pytest.param({"Sec_WebSocket_Key": "short"}, id="bad key"),
        pytest.param({"Sec_WebSocket_Key": "A" * 24}, id="key of 18 bytes"),
        pytest.param({"Sec_WebSocket_Version": None}, id="no version"),
        pytest.param({"Sec_WebSocket_Version": "12"}, id="version 12"),
        pytest.param({"Sec_WebSocket_Version": "13, 8"}, id="two versions"),
        pytest.param({"Upgrade": "h2c"}, id="another protocol"),
        pytest.param({"Upgrade": None}, id="no Upgrade"),
        pytest.param({"Connection": "close"}, id="no Connection: upgrade"),
        pytest.param({"Connection": None}, id="no Connection"),
    ],
)
async def test_malformed_upgrades_are_refused(engine: Client, changes):
    """A handshake that breaks RFC 6455, section 4.2.1, gets a 4xx and no session."""
    async with await engine.upgrade(**changes) as socket:
        assert socket.answer.status in (400, 426)
        if "Sec_WebSocket_Version" in changes:
            assert "13" == socket.answer.headers.get("sec-websocket-version", "13")


async def test_only_get_upgrades(engine: Client):
    """A POST with the headers of an upgrade is none."""
    request = (
        f"POST {engine.path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {engine.host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    async with await engine.raw(request.encode()) as socket:
        assert socket.answer.status in (400, 405)


@pytest.mark.own_doors
async def test_compression_is_not_negotiated(engine: Client):
    """An offer of permessage-deflate is answered without it."""
    async with await engine.websocket(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits") as socket:
        assert "sec-websocket-extensions" not in socket.answer.headers
        assert str(await socket.receive()).startswith("0{")


@pytest.mark.own_doors
async def test_a_first_frame_may_ride_along(engine: Client):
    """What an impatient client sends behind its request head already belongs to the WebSocket."""
    request = (
        f"GET {engine.path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {engine.host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with await engine.raw(request.encode() + client_frame(TEXT, b"4early")) as socket:
        assert 101 == socket.answer.status
        assert str(await socket.receive()).startswith("0{")

        assert "4early" == await socket.receive()
