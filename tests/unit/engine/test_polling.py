"""The polling route, driven as ASGI: GET, POST, CORS and what ends a session."""

import asyncio
import json

import pytest

from tests.unit.engine.fakes import Recorder, scope, until
from tocsin.engine.asgi import EngineApp
from tocsin.engine.engine_server import EngineServer
from tocsin.engine.limits import Limits
from tocsin.engine.origins import allow_list
from tocsin.engine.packets import encode_message

SHOP = "https://shop.example"


class Browser:
    """Makes requests to the route, without HTTP."""

    def __init__(self, server):
        self.server = server

    async def request(self, method, query="", chunks=(b"",), headers=(), hang_up=None):
        """Return status, headers and body; ``hang_up`` is awaited before the client leaves."""
        incoming = [
            {"type": "http.request", "body": chunk, "more_body": n + 1 < len(chunks)} for n, chunk in enumerate(chunks)
        ]
        answers = []

        async def receive():
            if incoming:
                return incoming.pop(0)
            await (hang_up or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message):
            answers.append(message)

        await self.server.polling(scope(method, query, headers), receive, send)
        if not answers:
            return None, {}, b""
        body = b"".join(answer.get("body", b"") for answer in answers[1:])
        return answers[0]["status"], dict(answers[0]["headers"]), body

    async def open(self, **options):
        status, _, body = await self.request("GET", "EIO=4&transport=polling", **options)
        assert 200 == status
        return self.server.sessions[json.loads(body[1:])["sid"]]

    async def poll(self, session, **options):
        return await self.request("GET", f"EIO=4&transport=polling&sid={session.sid}", **options)

    async def push(self, session, *chunks, **options):
        return await self.request("POST", f"EIO=4&transport=polling&sid={session.sid}", chunks=chunks, **options)

    async def waiting_poll(self, session, **options):
        task = asyncio.create_task(self.poll(session, **options))
        await until(lambda: session.transport.is_polled)
        return task


def browser(**options):
    return Browser(EngineServer(Recorder, **options))


async def test_what_is_sent_is_collected():
    """Packets wait for the next GET and leave in order, once."""
    one = browser()
    session = await one.open()
    session.send(encode_message("a"))
    session.send(encode_message(b"\x01\x02"))

    assert (200, b"4a\x1ebAQI=") == (await one.poll(session))[::2]
    task = await one.waiting_poll(session)
    session.send(encode_message("b"))
    session.send(encode_message("c"))
    assert b"4b\x1e4c" == (await task)[2]


async def test_posts_are_received():
    """All packets of a body, in chunks or not, are taken and answered ok."""
    one = browser()
    session = await one.open()

    assert (200, b"ok") == (await one.push(session, b"4a\x1e", b"bAQI="))[::2]
    assert ["opened", "4a", b"\x01\x02"] == session.received


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"abc", ()),
        (b"", ()),
        (b"4a\x1e", ()),
        (b"\x1e".join([b"4a"] * 17), ()),
        (b"4" * 101, ()),
        (b"4a", [("Content-Encoding", "gzip")]),
        (b"4a\x1e2", ()),
    ],
)
async def test_bad_posts_end_the_session(body, headers):
    """Malformed, oversized or encoded: 400, and the session is gone."""
    one = browser(limits=Limits(max_payload=100))
    session = await one.open()

    assert 400 == (await one.push(session, body, headers=headers))[0]
    assert 400 == (await one.poll(session))[0]
    assert ("ended", "parse error") == session.received[-1]


async def test_a_post_that_breaks_off_is_ignored():
    """Half a body is no body; nothing is answered or received."""
    one = browser()
    session = await one.open()
    gone = asyncio.Event()
    gone.set()
    incoming = [{"type": "http.request", "body": b"4a", "more_body": True}, {"type": "http.disconnect"}]
    answers = []

    async def receive():
        return incoming.pop(0)

    async def send(message):
        answers.append(message)

    await one.server.polling(scope("POST", f"EIO=4&transport=polling&sid={session.sid}"), receive, send)

    assert [] == answers
    assert ["opened"] == session.received


async def test_a_second_get_ends_the_session():
    """The first GET gets the close packet, the second 400."""
    one = browser()
    session = await one.open()
    first = await one.waiting_poll(session)
    second = await one.poll(session)

    assert 400 == second[0]
    assert (200, b"1") == (await first)[::2]
    assert session.closed


async def test_an_aborted_get_ends_the_session():
    """Who hangs up while polling is gone."""
    one = browser()
    session = await one.open()
    hang_up = asyncio.Event()
    task = await one.waiting_poll(session, hang_up=hang_up)
    hang_up.set()

    assert (None, {}, b"") == await task
    assert ("ended", "transport close") == session.received[-1]


async def test_a_client_that_closes_gets_a_noop():
    """The waiting GET ends with 6, the POST is ok."""
    one = browser()
    session = await one.open()
    task = await one.waiting_poll(session)

    assert (200, b"ok") == (await one.push(session, b"1"))[::2]
    assert (200, b"6") == (await task)[::2]
    assert session.closed


async def test_a_server_that_closes_gives_what_is_left():
    """The waiting GET gets the last packets and the close."""
    one = browser()
    session = await one.open()
    task = await one.waiting_poll(session)
    session.send(encode_message("last"))
    session.close()

    assert b"4last\x1e1" == (await task)[2]
    assert not session.send(encode_message("later"))


async def test_a_client_that_never_polls_is_cut():
    """Its packets are bounded; ephemeral ones go first."""
    one = browser(limits=Limits(queue_packets=3))
    session = await one.open()
    session.send(encode_message("typing"), ephemeral=True)
    for word in "abc":
        assert session.send(encode_message(word))

    assert not session.send(encode_message("d"))
    assert ("ended", "slow") == session.received[-1]


async def test_a_pause_in_reading_delays_the_answer():
    """While too much is in flight a POST is not answered."""

    class Busy(Recorder):
        def message_received(self, text):
            super().message_received(text)
            self.transport.pause_reading()

    one = Browser(EngineServer(Busy))
    session = await one.open()
    task = asyncio.create_task(one.push(session, b"4a\x1e4b"))
    await until(lambda: "4a" in session.received)
    assert "4b" not in session.received
    session.transport.resume_reading()
    await until(lambda: "4b" in session.received)
    assert not task.done()
    session.transport.resume_reading()

    assert 200 == (await task)[0]


async def test_an_upgrade_answers_a_post_that_waits():
    """The pause ends with the transport: its end would come on the other one."""

    class Busy(Recorder):
        def message_received(self, text):
            super().message_received(text)
            if text == "4a":
                self.transport.pause_reading()

    one = Browser(EngineServer(Busy))
    session = await one.open()
    task = asyncio.create_task(one.push(session, b"4a\x1e4b"))
    await until(lambda: "4a" in session.received)
    session.transport.hand_over()
    await until(task.done)

    assert 200 == (await task)[0]
    assert "4b" in session.received


async def test_a_second_post_ends_the_session():
    """One POST at a time: order could not be kept otherwise."""

    class Busy(Recorder):
        def message_received(self, text):
            super().message_received(text)
            self.transport.pause_reading()

    one = Browser(EngineServer(Busy))
    session = await one.open()
    first = asyncio.create_task(one.push(session, b"4a"))
    await until(lambda: session.transport.is_posting)

    assert 400 == (await one.push(session, b"4b"))[0]
    assert session.closed
    await first


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "transport=polling"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "EIO=4"),
        ("GET", "EIO=4&transport=abc"),
        ("GET", "EIO=4&transport=websocket"),
        ("POST", "EIO=4&transport=polling"),
        ("PUT", "EIO=4&transport=polling"),
        ("GET", "EIO=4&transport=polling&sid=unknown"),
        ("GET", "EIO=4&transport=polling&sid="),
    ],
)
async def test_bad_requests(method, query):
    """Each is 400 with Engine.IO's own error object, and counted."""
    one = browser()
    status, headers, body = await one.request(method, query)

    assert 400 == status
    assert b"application/json" == headers[b"content-type"]
    assert {"code", "message"} == json.loads(body).keys()
    assert 1 == sum(count for label, count in one.server.stats.items() if label.startswith("refused:"))


async def test_other_methods_on_a_session_are_refused():
    """A DELETE harms nobody."""
    one = browser()
    session = await one.open()

    assert 400 == (await one.request("DELETE", f"EIO=4&transport=polling&sid={session.sid}"))[0]
    assert not session.closed


async def test_allowed_pages_get_cors_headers():
    """A listed origin is named in the answer, its preflight is 204."""
    one = browser(allow_origin=allow_list([SHOP]))
    headers = [("Origin", SHOP), ("Host", "api.example")]
    _, answer, _ = await one.request("GET", "EIO=4&transport=polling", headers=headers)
    status, preflight, _ = await one.request("OPTIONS", "EIO=4&transport=polling", headers=headers)

    assert SHOP.encode() == answer[b"access-control-allow-origin"]
    assert b"Origin" == answer[b"vary"]
    assert 204 == status
    assert SHOP.encode() == preflight[b"access-control-allow-origin"]
    assert b"GET, POST" == preflight[b"access-control-allow-methods"]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_foreign_pages_get_nothing(method):
    """A foreign origin gets 403, no CORS header and no session."""
    one = browser(allow_origin=allow_list([SHOP]))
    headers = [("Origin", "https://evil.example"), ("Host", "api.example")]
    status, answer, _ = await one.request(method, "EIO=4&transport=polling", headers=headers)

    assert 403 == status
    assert not any(name.startswith(b"access-control") for name in answer)
    assert {} == one.server.sessions


async def test_a_foreign_page_cannot_use_a_session():
    """Not even one whose sid it knows."""
    one = browser()
    session = await one.open()
    status, _, _ = await one.push(session, b"4a", headers=[("Origin", "https://evil.example"), ("Host", "api.example")])

    assert 403 == status
    assert ["opened"] == session.received


async def test_huge_heads_are_refused():
    """Query and headers together are bounded."""
    one = browser()

    assert 431 == (await one.request("GET", "EIO=4&transport=polling", headers=[("X-Big", "x" * 20_000)]))[0]


async def test_the_app_serves_the_path_and_passes_on():
    """Polling on the path, 404 or the host's application elsewhere, lifespan in either case."""
    server = EngineServer(Recorder)
    statuses = []

    async def send(message):
        statuses.append(message.get("status") or message["type"])

    async def host(scope, receive, send):
        await send({"type": "http.response.start", "status": 299})

    lifespan = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive():
        return {"type": next(lifespan)}

    await EngineApp(server)(scope(path="/other"), None, send)
    await EngineApp(server, host)(scope(path="/other"), None, send)
    await EngineApp(server)({"type": "lifespan"}, receive, send)
    await EngineApp(server)({"type": "websocket", "path": "/other"}, None, send)

    assert [404, "http.response.body", 299] == statuses[:3]
    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == statuses[3:5]
    assert ["websocket.close"] == statuses[5:]
    assert server.refuse_new
