"""Whatever a client can have too much of: bounded, at the cost of nobody else."""

import asyncio
import gzip
import zlib
from contextlib import suppress

import pytest

from tests.wire.apps import engine_app, socket_app
from tests.wire.clients import BINARY, CLOSE, PING, PONG, TEXT, Client, Closed, client_frame
from tests.wire.conftest import Serve, eventually
from tocsin.engine import Limits

FORWARDED = "203.0.113.7"


@pytest.mark.usefixtures("bystander")
class TestDefaultBounds:
    """The bounds that hold when nobody sets any."""

    async def test_the_biggest_message_is_taken(self, sockets: Client):
        """A message of exactly maxPayload is no offence."""
        async with await sockets.socket() as socket:
            head, tail = '42["message","', '"]'
            text = head + "x" * (1_000_000 - len(head) - len(tail)) + tail
            await socket.send(text)

            assert text.replace("message", "message-back") == await socket.receive()

    async def test_a_bigger_message_closes(self, sockets: Client):
        """One byte more closes with 1009."""
        async with await sockets.socket() as socket:
            await socket.send("4" * 1_000_001)

            assert 1009 == await socket.close_code()

    async def test_a_huge_announcement_closes(self, sockets: Client):
        """A frame header that announces 8 EB is refused before its payload comes."""
        async with await sockets.socket() as socket:
            await socket.send_raw(b"\x81\xff" + (2**63 - 1).to_bytes(8, "big") + b"mask")

            assert 1009 == await socket.close_code()

    async def test_big_fragments_close(self, sockets: Client):
        """Fragments count together."""
        async with await sockets.socket() as socket:
            await socket.send_raw(client_frame(TEXT, b"4" * 600_000, final=False))
            await socket.send_raw(client_frame(0, b"4" * 600_000))

            assert 1009 == await socket.close_code()

    @pytest.mark.own_doors
    async def test_a_flood_of_fragments_closes(self, sockets: Client):
        """A message of endless empty fragments is cut."""
        async with await sockets.socket() as socket:
            await socket.send_raw(client_frame(TEXT, b"", final=False) + client_frame(0, b"", final=False) * 20_000)

            assert 1008 == await socket.close_code()

    async def test_a_deflate_bomb_stays_closed(self, sockets: Client):
        """60 MB deflated into one frame with RSV1 close with 1002; nothing inflates."""
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = deflate.compress(b"\0" * 60_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
        async with await sockets.socket() as socket:
            await socket.send_raw(client_frame(TEXT, bomb, rsv=0x40))

            assert 1002 == await socket.close_code()

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-gzip"])
    async def test_encoded_bodies_are_refused(self, sockets: Client, encoding):
        """A compressed POST is never inflated; its session is gone."""
        body = gzip.compress(b"4" * 60_000_000) if encoding == "gzip" else zlib.compress(b"40")
        sid = await sockets.polling_session()

        answer = await sockets.push(sid, body, Content_Encoding=encoding)
        assert answer.status_code in (400, 415)
        assert 400 == (await sockets.poll(sid)).status_code

    async def test_a_big_body_is_refused(self, sockets: Client):
        """A POST beyond maxPayload is refused and ends the session."""
        sid = await sockets.polling_session()
        query = f"EIO=4&transport=polling&sid={sid}"
        head = f"POST {sockets.path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n"
        async with await sockets.raw(head.encode() + b"4" * 1_000_001) as connection:
            assert connection.answer.status in (400, 413)

        assert 400 == (await sockets.poll(sid)).status_code

    async def test_an_endless_body_is_refused(self, sockets: Client):
        """A chunked POST without end is cut off at the bound."""
        sid = await sockets.polling_session()
        query = f"EIO=4&transport=polling&sid={sid}"
        head = f"POST {sockets.path}?{query} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"186a0\r\n" + b"4" * 100_000 + b"\r\n"
        async with await sockets.raw(head.encode() + chunk * 11) as connection:
            assert connection.answer.status in (400, 413)

        assert 400 == (await sockets.poll(sid)).status_code

    async def test_a_short_body_is_not_acted_on(self, sockets: Client, calls):
        """A POST that breaks off halfway runs nothing."""
        sid = await sockets.polling_session()
        await sockets.push(sid, "40")
        query = f"EIO=4&transport=polling&sid={sid}"
        body = '42["message","half"]'
        head = f"POST {sockets.path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        _reader, writer = await asyncio.open_connection("127.0.0.1", sockets.port)
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with await sockets.socket() as socket:  # a round trip later
            await socket.send('42["message"]')
            await socket.receive()

        assert ("message", "half") not in calls

    @pytest.mark.parametrize("transport", ["websocket", "polling"])
    @pytest.mark.own_doors
    async def test_huge_headers_are_refused(self, sockets: Client, transport):
        """200 KB of request head open no session."""
        async with await sockets.upgrade(f"EIO=4&transport={transport}", X_Padding="x" * 200_000) as socket:
            assert socket.answer.status in (0, 400, 413, 431)

    @pytest.mark.own_doors
    async def test_many_headers_are_refused(self, sockets: Client):
        """The head counts as a whole, also in many small lines."""
        async with await sockets.upgrade(**{f"X_Padding_{n}": "x" * 100 for n in range(400)}) as socket:
            assert socket.answer.status in (0, 400, 413, 431)

    @pytest.mark.own_doors
    async def test_long_queries_are_refused(self, sockets: Client):
        """A query belongs to the head."""
        async with await sockets.upgrade("EIO=4&transport=websocket&x=" + "x" * 100_000) as socket:
            assert socket.answer.status in (0, 400, 413, 414, 431)

    @pytest.mark.own_doors
    async def test_a_flood_of_frames_closes(self, sockets: Client):
        """More frames at once than the burst allows close with 1008; pings count as well."""
        async with await sockets.socket() as socket:
            await socket.send_raw(client_frame(PING, b"") * 20_000)
            opcode, payload = await socket.frame()
            while opcode == PONG:
                opcode, payload = await socket.frame()

            assert (CLOSE, 1008) == (opcode, int.from_bytes(payload[:2], "big"))

    @pytest.mark.own_doors
    async def test_a_flood_of_pongs_closes(self, sockets: Client):
        """Unasked pongs are legal, a flood of them isn't."""
        async with await sockets.socket() as socket:
            await socket.send_raw(client_frame(0xA, b"") * 20_000)

            assert 1008 == await socket.close_code()


async def test_too_many_namespaces_close(serve: Serve):
    """A connection holds a bounded number of namespaces."""
    server = socket_app(limits=Limits(max_namespaces=1))
    client = serve(server)
    async with await client.socket() as bystander, await client.socket() as socket:
        await socket.send("40/custom,")
        with pytest.raises(Closed) as closed:
            await socket.receive()
        assert 1008 == closed.value.code
        await bystander.send('42["message"]')

        assert '42["message-back"]' == await bystander.receive()


async def test_attachments_are_bounded_together(serve: Serve):
    """The attachments of one packet share one bound."""
    client = serve(socket_app(limits=Limits(max_payload=1000)))
    async with await client.socket() as socket:
        await socket.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
        await socket.send(b"x" * 600)
        await socket.send(b"x" * 600)

        assert await socket.close_code() is not None


async def test_too_many_events_are_refused(serve: Serve):
    """Beyond the rate an event is acked with rate_limited and runs nothing; persistence closes."""
    calls: list = []
    server = socket_app(calls, limits=Limits(events_per_s=0.001, events_burst=6, max_refused_events=20))
    client = serve(server)
    async with await client.socket() as bystander, await client.socket() as socket:
        # Of the burst of six, CONNECT was the first.
        for n in range(6):
            await socket.send(f'42{n}["message-with-ack",{n}]')
        answers = [str(await socket.receive()) for n in range(6)]
        assert [f"43{n}[{n}]" for n in range(5)] == answers[:5]
        assert answers[5].startswith("435[{")
        assert '"rate_limited"' in answers[5]
        assert ("message-with-ack", 5) not in calls

        await socket.send_raw(client_frame(TEXT, b'42["message"]') * 100)
        assert 1008 == await socket.close_code()
        await bystander.send('42["message"]')
        assert '42["message-back"]' == await bystander.receive()


async def test_a_slow_reader_is_cut(serve: Serve):
    """Who doesn't read is cut at the bound of its queue; who reads gets everything meanwhile."""
    server = socket_app()
    client = serve(server)
    async with await client.socket() as bystander, await client.socket() as slow:
        slow.writer.transport.pause_reading()
        for _ in range(40):
            await slow.send('42["flood",100,10000]')
            await bystander.send('42["message","meanwhile"]')
            assert '42["message-back","meanwhile"]' == await bystander.receive()
        await eventually(lambda: 1 == server.stats["connections"])

        assert 1 == server.stats["refused:slow"]


async def test_a_stalled_reader_is_cut(serve: Serve):
    """A queue below its bound is no excuse: when nothing leaves for a while, the connection is cut."""
    server = socket_app(limits=Limits(write_deadline_s=0.5, queue_bytes=100_000_000, queue_packets=1_000_000))
    client = serve(server)
    async with await client.socket() as slow:
        slow.writer.transport.pause_reading()
        await slow.send('42["flood",2000,10000]')

        await eventually(lambda: 0 == server.stats["connections"])


async def test_nobody_polls_a_full_queue(serve: Serve):
    """A polling client that never polls can't make the server keep everything."""
    server = engine_app(limits=Limits(queue_packets=32))
    client = serve(server)
    sid = await client.polling_session()
    body = "\x1e".join(["4x"] * 16)
    statuses = [(await client.push(sid, body)).status_code for _ in range(4)]

    assert 200 == statuses[0]
    assert 400 == statuses[-1]
    assert 0 == server.stats["connections"]


async def test_connections_per_address(serve: Serve):
    """One address gets its number of connections, another one still gets its own."""
    server = engine_app(limits=Limits(connections_per_address=2))
    client = serve(server)
    first = await client.session(X_Forwarded_For=FORWARDED)
    await client.request("GET", "EIO=4&transport=polling", X_Forwarded_For=FORWARDED)

    async with await client.upgrade(X_Forwarded_For=FORWARDED) as third:
        assert 429 == third.answer.status
    polled = await client.request("GET", "EIO=4&transport=polling", X_Forwarded_For=FORWARDED)
    assert 429 == polled.status_code
    async with await client.session(X_Forwarded_For="203.0.113.8") as other:
        await other.send("4hello")
        assert "4hello" == await other.receive()
    async with first:
        await first.send("4hello")
        assert "4hello" == await first.receive()

    async def has_room() -> bool:
        async with await client.upgrade(X_Forwarded_For=FORWARDED) as again:
            return 101 == again.answer.status

    await eventually(has_room)


async def test_the_addresses_of_one_customer_are_one(serve: Serve):
    """Of IPv6 a customer has 2^64: they share their bound; the next network has its own."""
    client = serve(engine_app(limits=Limits(connections_per_address=1)))
    async with (
        await client.session(X_Forwarded_For="2001:db8:0:1::1"),
        await client.upgrade(X_Forwarded_For="2001:db8:0:1:ffff::2") as second,
        await client.upgrade(X_Forwarded_For="2001:db8:0:2::1") as next_door,
    ):
        assert 429 == second.answer.status
        assert 101 == next_door.answer.status


async def test_a_forged_address_is_not_believed(serve: Serve):
    """What a client writes in front of the proxy's own entry changes nothing."""
    server = engine_app(limits=Limits(connections_per_address=1))
    client = serve(server)
    forged = f"198.51.100.1, {FORWARDED}"
    async with (
        await client.session(X_Forwarded_For=FORWARDED),
        await client.upgrade(X_Forwarded_For=forged) as second,
    ):
        assert 429 == second.answer.status


async def test_handshakes_are_bounded(serve: Serve):
    """Beyond the rate of handshakes the answer is 503 with Retry-After; sessions go on."""
    client = serve(engine_app(limits=Limits(handshakes_per_s=0.001, handshakes_burst=2)))
    async with await client.session() as socket:
        await client.polling_session()
        refused = await client.request("GET", "EIO=4&transport=polling")
        assert 503 == refused.status_code
        assert int(refused.headers["Retry-After"]) >= 1
        async with await client.upgrade() as second:
            assert 503 == second.answer.status
            assert int(second.answer.headers["retry-after"]) >= 1
        await socket.send("4hello")

        assert "4hello" == await socket.receive()


@pytest.mark.own_doors
async def test_an_unfinished_request_is_cut(serve: Serve):
    """A client that sends its request head byte by byte, for ever, is cut."""
    client = serve(engine_app())
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nX: ")

    async def drip() -> None:
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0.001)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(10):
        with suppress(OSError):
            await reader.read()  # to the end: the server has cut
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()


@pytest.mark.own_doors
async def test_a_silent_connection_is_cut(serve: Serve):
    """Who connects and asks for nothing is cut."""
    client = serve(engine_app(limits=Limits(head_deadline_s=0.2)))
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            assert b"" == await reader.read()
    writer.close()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize(
    "bound", [{"handlers_in_flight": 3}, {"in_flight_bytes": 40}], ids=lambda bound: next(iter(bound))
)
async def test_slow_handlers_hold_their_client_back(serve: Serve, transport, bound):
    """With many handlers running, or for much, the engine stops reading; nothing is lost, others go on."""
    calls: list = []
    client = serve(socket_app(calls, limits=Limits(**bound)))
    async with await client.socket() as bystander, await client.socket() as socket:
        if transport == "websocket":
            await socket.send_raw(b"".join(client_frame(TEXT, f'42{n}["slow",{n}]'.encode()) for n in range(50)))
            await bystander.send('42["message"]')
            assert '42["message-back"]' == await bystander.receive()
            answers = [await socket.receive() for _ in range(50)]
        else:
            sid = await client.polling_session()
            await client.push(sid, "\x1e".join(["40", *(f'42{n}["slow",{n}]' for n in range(15))]))
            answers = []
            while len(answers) < 15:
                answers += [p for p in (await client.poll(sid)).text.split("\x1e") if p.startswith("43")]

    assert [f"43{n}[{n}]" for n in range(len(answers))] == answers
    assert [("slow", n) for n in range(len(answers))] == [call for call in calls if call[0] == "slow"]


async def test_an_unfinished_body_is_refused(serve: Serve):
    """A POST whose body trickles in for ever is answered 400 when its session would be over."""
    client = serve(engine_app(ping_interval=0.3, ping_timeout=0.2))
    sid = await client.polling_session()
    query = f"EIO=4&transport=polling&sid={sid}"
    head = f"POST {client.path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n4"
    async with await client.raw(head.encode()) as connection:
        assert 400 == connection.answer.status


async def test_draining_refuses_the_new_and_keeps_the_old(serve: Serve):
    """A draining server answers handshakes 503 with Retry-After; who is in stays."""
    server = engine_app()
    client = serve(server)
    async with await client.session() as socket:
        server.refuse_new = True
        assert 503 == (await client.request("GET", "EIO=4&transport=polling")).status_code
        async with await client.upgrade() as second:
            assert 503 == second.answer.status
        await socket.send("4hello")

        assert "4hello" == await socket.receive()


async def test_unmasked_frames_close(serve: Serve):
    """A client that doesn't mask is closed with 1002."""
    client = serve(engine_app())
    async with await client.session() as socket:
        await socket.send_raw(client_frame(BINARY, b"x", masked=False))

        assert 1002 == await socket.close_code()
