"""Socket.IO clients that break the protocol: the offender is closed, nobody else notices."""

import asyncio
from contextlib import suppress

import pytest

from tests.wire.clients import Client, Closed
from tests.wire.conftest import eventually
from tocsin.engine.packets import RESERVED_EVENTS

pytestmark = pytest.mark.usefixtures("bystander")

PLACEHOLDER = '{"_placeholder":true,"num":0}'


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param("4", id="no packet"),
        pytest.param("4abc", id="unknown type"),
        pytest.param("47", id="type 7"),
        pytest.param("42{}", id="payload of the wrong type"),
        pytest.param("42", id="event without payload"),
        pytest.param("4255", id="event of an id only"),
        pytest.param("42[]", id="event without a name"),
        pytest.param("42[1]", id="name of the wrong type"),
        pytest.param('42abc["message-with-ack",1]', id="bad id"),
        pytest.param('42["message"', id="cut JSON"),
        pytest.param('42["message",' + "[" * 5000 + "]" * 5000 + "]", id="deep JSON"),
        pytest.param('42["message",1e999]', id="infinity"),
        pytest.param('42/never,["message"]', id="namespace not joined"),
        pytest.param("43[]", id="ack without id"),
        pytest.param("43x[]", id="ack with a bad id"),
        pytest.param('44{"message":"x"}', id="CONNECT_ERROR of a client"),
        pytest.param("40", id="second CONNECT"),
        pytest.param("45[]", id="binary event without number"),
        pytest.param('450-["message"]', id="binary event without attachments"),
        pytest.param(f'4511-["message",{PLACEHOLDER}]', id="eleven attachments"),
        pytest.param(f'459999999999-["message",{PLACEHOLDER}]', id="ten billion attachments"),
        pytest.param(f"461-1[{PLACEHOLDER}]", id="binary ack that nobody asked for"),
        pytest.param(f'451-["plain",{PLACEHOLDER}]', id="binary where no handler takes it"),
        pytest.param(f'451-["nobody-listens",{PLACEHOLDER}]', id="binary for no handler"),
        pytest.param(b"\x00", id="attachment of nothing"),
    ],
)
async def test_malformed_packets_close(sockets: Client, calls, packet):
    """A packet that the protocol or the app doesn't allow closes its connection and runs nothing."""
    async with await sockets.socket() as socket:
        before = [call for call in calls if call[0] not in ("disconnect", "connect")]
        await socket.send(packet)

        assert await socket.close_code() in (1002, 1008)
        assert await socket.cut()
        assert before == [call for call in calls if call[0] not in ("disconnect", "connect")]


@pytest.mark.parametrize("event", ["plain", "nobody-listens"])
async def test_binary_that_is_not_taken_is_answered(sockets: Client, calls, event):
    """An ack that was asked for says so after the attachments; no handler runs, the connection goes on."""
    async with await sockets.socket() as socket:
        await socket.send(f'451-7["{event}",{PLACEHOLDER}]')
        await socket.send(b"\x01\x02\x03")
        answer = str(await socket.receive())
        await socket.send('42["message",1]')

        assert answer.startswith("437[{")
        assert '"binary_not_accepted"' in answer
        assert '42["message-back",1]' == await socket.receive()
    assert not [call for call in calls if call[0] == event]


@pytest.mark.parametrize(
    "packet", ['42["message"]', '421["message-with-ack"]', '451-["message",{"_placeholder":true,"num":0}]', b"\x00"]
)
async def test_connect_comes_first(sockets: Client, packet):
    """An event before CONNECT closes the connection."""
    async with await sockets.session() as socket:
        await socket.send(packet)

        assert await socket.close_code() is not None


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
async def test_reserved_events_run_nothing(sockets: Client, calls, name):
    """An event of the library's own from the wire closes; no handler sees it."""
    async with await sockets.socket() as socket:
        count = calls.count(("connect", "/"))
        await socket.send(f'421["{name}","forged reason"]')
        await socket.close_code()

    def is_told() -> bool:
        return ("disconnect", "/", "parse error") == calls[-1]

    await eventually(is_told)
    assert count == calls.count(("connect", "/"))
    assert not [call for call in calls if "forged reason" in call]


async def test_text_between_attachments_closes(sockets: Client, calls):
    """A binary event that isn't finished can't be overtaken by another event."""
    async with await sockets.socket() as socket:
        await socket.send(f'451-["message",{PLACEHOLDER}]')
        await socket.send('42["message","overtaken"]')

        assert 1002 == await socket.close_code()
    assert ("message", "overtaken") not in calls


@pytest.mark.parametrize(
    "args", ['{"_placeholder":true,"num":5}', f"{PLACEHOLDER},{PLACEHOLDER}", "1", '{"_placeholder":true,"num":"0"}']
)
async def test_placeholders_that_do_not_fit_close(sockets: Client, args):
    """Attachments and placeholders have to match one to one."""
    async with await sockets.socket() as socket:
        await socket.send(f'451-["message",{args}]')
        await socket.send(b"x")

        assert 1002 == await socket.close_code()


@pytest.mark.parametrize("after", ["", "\x1e1", '\x1e42["message"]'])
async def test_malformed_over_polling(sockets: Client, after):
    """A POST with a malformed Socket.IO packet is answered 400 whatever follows it, and the session is gone."""
    sid = await sockets.polling_session()

    assert 400 == (await sockets.push(sid, "40\x1e42{}" + after)).status_code
    assert 400 == (await sockets.poll(sid)).status_code


async def test_acks_nobody_asked_for_are_ignored(sockets: Client):
    """A late or invented ack does nothing."""
    async with await sockets.socket() as socket:
        await socket.send('43999["x"]')
        await socket.send('42["message"]')

        assert '42["message-back"]' == await socket.receive()


async def test_disconnecting_twice_is_harmless(sockets: Client):
    """A DISCONNECT of a namespace that was left already closes at most its connection."""
    async with await sockets.socket() as socket:
        await socket.send("41")
        await socket.send("41")
        await socket.send("40")
        with suppress(Closed):
            assert str(await socket.receive()).startswith("40{")


async def test_hanging_up_mid_packet_is_harmless(sockets: Client, socket_server):
    """A client that vanishes in the middle of a frame or of a binary event leaves nothing."""
    async with await sockets.socket() as socket:
        await socket.send_raw(b"\x81\xfe")
    async with await sockets.socket() as socket:
        await socket.send(f'451-["message",{PLACEHOLDER}]')
    await eventually(lambda: socket_server.stats["connections"] == 1)
    await asyncio.sleep(0)
