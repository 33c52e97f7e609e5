"""Socket.IO v5 over real connections: namespaces, events, acks, binary."""

import json

import pytest

from tests.wire.apps import socket_app
from tests.wire.clients import Client, Closed
from tests.wire.conftest import Serve, eventually

BINARY = [b"\x01\x02\x03", b"\x04\x05\x06"]
PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.mark.parametrize(
    ("connect", "prefix", "auth"),
    [
        ("40", "", "{}"),
        ('40{"token":"123"}', "", '{"token":"123"}'),
        ("40/custom,", "/custom,", "{}"),
        ("40/custom", "/custom,", "{}"),
        ('40/custom,{"token":"abc"}', "/custom,", '{"token":"abc"}'),
    ],
)
async def test_connect(sockets: Client, connect, prefix, auth):
    """A namespace answers with exactly a sid, and only then speaks."""
    async with await sockets.session() as socket:
        await socket.send(connect)
        answer = str(await socket.receive())
        assert answer.startswith("40" + prefix)
        assert {"sid"} == json.loads(answer[len("40" + prefix) :]).keys()

        assert f'42{prefix}["auth",{auth}]' == await socket.receive()


async def test_connect_over_polling(sockets: Client):
    """Polling speaks the same Socket.IO, several packets a body."""
    sid = await sockets.polling_session()
    assert "ok" == (await sockets.push(sid, "40\x1e40/custom,")).text
    packets = []
    while len(packets) < 4:
        packets += (await sockets.poll(sid)).text.split("\x1e")
    assert '42["auth",{}]' in packets
    assert '42/custom,["auth",{}]' in packets

    assert "ok" == (await sockets.push(sid, '42["message",1]\x1e42/custom,7["message-with-ack",2]')).text
    assert ['42["message-back",1]', "43/custom,7[2]"] == (await sockets.poll(sid)).text.split("\x1e")


async def test_binary_over_polling(sockets: Client):
    """Attachments travel as Base64 packets behind their event."""
    sid = await sockets.polling_session()
    await sockets.push(sid, "40")
    while "auth" not in (await sockets.poll(sid)).text:
        pass
    assert "ok" == (await sockets.push(sid, f'452-["message",{PLACEHOLDERS}]\x1ebAQID\x1ebBAUG')).text

    assert f'452-["message-back",{PLACEHOLDERS}]\x1ebAQID\x1ebBAUG' == (await sockets.poll(sid)).text


async def test_every_socket_has_its_id(sockets: Client):
    """The id of a socket differs from the session's and from that of other namespaces."""
    async with await sockets.websocket() as socket:
        handshake = str(await socket.receive())
        sids = {json.loads(handshake[1:])["sid"], await socket.connect_namespace()}
        await socket.receive()
        sids.add(await socket.connect_namespace("/custom"))

    assert 3 == len(sids)


async def test_unknown_namespace(sockets: Client):
    """An unknown namespace is refused with the message of the reference server; the connection lives."""
    async with await sockets.session() as socket:
        await socket.send("40/random")
        assert '44/random,{"message":"Invalid namespace"}' == await socket.receive()
        await socket.send("40")

        assert str(await socket.receive()).startswith("40{")


async def test_refusal(sockets: Client):
    """A refused client gets message and data, and may try again on the same connection."""
    async with await sockets.session() as socket:
        await socket.send('40{"refuse":"Not authorized","data":{"code":1}}')
        assert '44{"message":"Not authorized","data":{"code":1}}' == await socket.receive()
        await socket.send("40")

        assert str(await socket.receive()).startswith("40{")


async def test_no_connect_in_time(serve: Serve):
    """A WebSocket session that connects to no namespace is closed."""
    client = serve(socket_app(connect_timeout=0.2))
    async with await client.session() as socket:
        assert 1008 == await socket.close_code()
        assert await socket.cut()


async def test_a_refused_connect_is_no_connect(serve: Serve):
    """Trying the door again and again doesn't keep a session alive."""
    client = serve(socket_app(connect_timeout=0.3))
    async with await client.session() as socket:

        async def knock() -> None:
            while True:
                await socket.send("40/random")
                assert "Invalid namespace" in str(await socket.receive())

        with pytest.raises(Closed) as closed:
            await knock()
        assert 1008 == closed.value.code


async def test_no_connect_in_time_over_polling(serve: Serve):
    """A polling session that connects to no namespace is gone."""
    client = serve(socket_app(connect_timeout=0.2))
    sid = await client.polling_session()

    async def is_gone() -> bool:
        return 400 == (await client.poll(sid)).status_code

    await eventually(is_gone)


async def test_connected_in_time_stays(serve: Serve):
    """Whoever connected in time outlives the connect timeout."""
    client = serve(socket_app(connect_timeout=0.2, ping_interval=0.5, ping_timeout=5.0))
    async with await client.socket() as socket:
        assert "2" == await socket.receive()
        await socket.send("3")
        await socket.send('42["message"]')

        assert '42["message-back"]' == await socket.receive()


async def test_leaving_the_main_namespace(serve: Serve):
    """After DISCONNECT the connection still pings, and the namespace can be joined again."""
    client = serve(socket_app(ping_interval=0.3, ping_timeout=0.2))
    async with await client.socket() as socket:
        await socket.send("41")
        assert "2" == await socket.receive()
        await socket.send("3")
        await socket.send("40")

        assert str(await socket.receive()).startswith("40{")


async def test_leaving_a_namespace_keeps_the_others(sockets: Client, calls):
    """DISCONNECT of one namespace leaves the other alone, and its handler is told."""
    async with await sockets.socket() as socket:
        await socket.connect_namespace("/custom")
        await socket.receive()
        await socket.send("41/custom")
        await socket.send('42["message","main"]')

        assert '42["message-back","main"]' == await socket.receive()
    assert ("disconnect", "/custom", "client namespace disconnect") in calls


@pytest.mark.parametrize("args", ['1,"2",{"3":[true]}', '""', '"h\u00e9 \U0001f514"', "null", '{"_placeholder":true}'])
async def test_message(sockets: Client, args):
    """Arguments come back as they went."""
    async with await sockets.socket() as socket:
        await socket.send(f'42["message",{args}]')

        assert f'42["message-back",{args}]' == await socket.receive()


async def test_ack(sockets: Client):
    """An event with an id is answered with that id."""
    async with await sockets.socket() as socket:
        await socket.send('42456["message-with-ack",1,"2",{"3":[false]}]')
        assert '43456[1,"2",{"3":[false]}]' == await socket.receive()
        await socket.send('420["message-with-ack"]')
        assert "430[]" == await socket.receive()
        await socket.send('421["message"]')
        assert {'42["message-back"]', "431[]"} == {await socket.receive(), await socket.receive()}


async def test_refused_event(sockets: Client):
    """A handler's refusal is the ack: one problem object."""
    async with await sockets.socket() as socket:
        await socket.send('421["refused"]')
        answer = str(await socket.receive())
        assert answer.startswith("431[{")

        assert "forbidden" == json.loads(answer[3:])[0]["code"]


async def test_a_broken_handler_says_nothing(sockets: Client):
    """A handler's bug reaches neither the client's eyes nor its connection."""
    async with await sockets.socket() as socket:
        await socket.send('421["broken"]')
        assert "secret" not in str(await socket.receive())
        await socket.send('42["message"]')

        assert '42["message-back"]' == await socket.receive()


async def test_unknown_events_are_ignored(sockets: Client):
    """An event without handler is nothing; the connection lives."""
    async with await sockets.socket() as socket:
        await socket.send('42["nobody-listens"]')
        await socket.send('42["message"]')

        assert '42["message-back"]' == await socket.receive()


async def test_binary_message(sockets: Client):
    """Two attachments come back behind their event."""
    async with await sockets.socket() as socket:
        await socket.send(f'452-["message",{PLACEHOLDERS}]')
        for data in BINARY:
            await socket.send(data)

        assert f'452-["message-back",{PLACEHOLDERS}]' == await socket.receive()
        assert BINARY == [await socket.receive(), await socket.receive()]


async def test_binary_ack(sockets: Client):
    """An ack carries attachments too."""
    async with await sockets.socket() as socket:
        await socket.send(f'452-789["message-with-ack",{PLACEHOLDERS}]')
        for data in BINARY:
            await socket.send(data)

        assert f"462-789[{PLACEHOLDERS}]" == await socket.receive()
        assert BINARY == [await socket.receive(), await socket.receive()]


async def test_the_server_may_ask(sockets: Client):
    """The server's own events carry ids too; the client's ack, binary included, is the answer."""
    async with await sockets.socket() as socket:
        await socket.send('427["ask-me",10]')
        question = str(await socket.receive())
        assert b"?" == await socket.receive()
        start = question.partition("[")[0]
        assert question == start + '["question",{"_placeholder":true,"num":0}]'
        id_ = start.removeprefix("451-")
        await socket.send(f'461-{id_}[1,{{"_placeholder":true,"num":0}}]')
        await socket.send(b"!")

        assert '461-7[[1,{"_placeholder":true,"num":0}]]' == await socket.receive()
        assert b"!" == await socket.receive()


async def test_the_server_does_not_wait_for_ever(sockets: Client):
    """A call that the client never answers ends at its deadline; a late answer is ignored."""
    async with await sockets.socket() as socket:
        await socket.send('427["ask-me",0.05]')
        question = str(await socket.receive())
        assert b"?" == await socket.receive()
        assert '437["no answer"]' == await socket.receive()
        await socket.send("43" + question.partition("[")[0].removeprefix("451-") + '["late"]')
        await socket.send('42["message"]')

        assert '42["message-back"]' == await socket.receive()


async def test_pings_may_come_between_attachments(serve: Serve):
    """The heartbeat goes on while a binary event is half sent."""
    client = serve(socket_app(ping_interval=0.2, ping_timeout=5.0))
    async with await client.socket() as socket:
        await socket.send('451-["message",{"_placeholder":true,"num":0}]')
        assert "2" == await socket.receive()
        await socket.send("3")
        await socket.send(b"x")

        assert '451-["message-back",{"_placeholder":true,"num":0}]' == await socket.receive()
