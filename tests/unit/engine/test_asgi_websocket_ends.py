"""The WebSocket transport over ASGI: its bounds, how it ends, whom it refuses, an upgrade from polling."""

import asyncio

import pytest

from tests.unit.engine.asgi_servers import (
    QUERY,
    AsgiServer,
    UvicornServer,
    connected,
    opened,
    say,
    websocket_scope,
)
from tests.unit.engine.fakes import Recorder, until
from tocsin.engine.engine_server import EngineServer
from tocsin.engine.limits import Limits
from tocsin.engine.polling import PollingTransport


@pytest.fixture
def engine():
    return EngineServer(Recorder, limits=Limits(queue_packets=4, queue_bytes=10_000, max_payload=100))


@pytest.mark.parametrize("message", ["4" * 101, "4" + "알" * 34, b"x" * 101])
async def test_a_bigger_message_closes(engine, message):
    """One byte over the bound closes with 1009, whatever the server itself would take."""
    async with opened(engine) as (session, asgi, task):
        asgi.say(**{"text" if isinstance(message, str) else "bytes": message})
        await task

        assert 1009 == asgi.close_code
        assert ("ended", "parse error") == session.received[-1]


@pytest.mark.parametrize("message", ["4" * 100, "4" + "알" * 33, b"x" * 100, b""])
async def test_the_biggest_message_is_taken(engine, message):
    """A message of exactly the bound is no offence; text and binary arrive as they are."""
    async with opened(engine) as (session, asgi, _):
        asgi.say(**{"text" if isinstance(message, str) else "bytes": message})
        await until(lambda: message in session.received)


@pytest.mark.parametrize(
    ("reason", "code"), [("parse error", 1002), ("server shutting down", 1001), ("over limit", 1008), ("ping", 1000)]
)
async def test_a_close_takes_along_what_waits(engine, reason, code):
    """What was sent before the end arrives, then the close code; the server's task returns."""
    async with opened(engine) as (session, asgi, task):
        session.send(*say("last"))
        session.close(reason)
        assert not session.send(*say("late"))
        await task

        assert ["4last"] == asgi.said
        assert (code, reason) == (asgi.close_code, asgi.sent[-1]["reason"])
        assert 0 == len(engine.wheel)


async def test_a_long_reason_is_cut(engine):
    """A close frame has room for 123 bytes."""
    async with opened(engine) as (session, asgi, task):
        session.close("알" * 100)
        await task

        assert "알" * 41 == asgi.sent[-1]["reason"]


async def test_a_close_code_that_the_server_refuses(engine):
    """A server that sends no code of the protocol's own, such as Daphne, closes with 1000."""

    class Choosy(AsgiServer):
        async def send(self, message):
            if message.get("code") == 1002:
                raise Exception("invalid close code")  # noqa: TRY002 — Autobahn's own words
            await super().send(message)

    async with opened(engine, Choosy) as (session, asgi, task):
        session.close("parse error")
        await task

        assert 1000 == asgi.close_code


async def test_a_close_that_nobody_takes_has_a_deadline():
    """A server that can't send the close frame holds nothing."""
    engine = EngineServer(Recorder, ping_interval=0.4, limits=Limits(close_deadline_s=0.02))
    async with opened(engine, UvicornServer) as (session, asgi, task):
        asgi.fill()
        session.close()
        await task

        assert asgi.transport.is_aborted


@pytest.mark.parametrize("error", [OSError, RuntimeError])
async def test_a_failing_send_ends_the_session(engine, error):
    """The client has gone, or the server has closed: the session ends, and nothing is raised or logged."""
    async with opened(engine) as (session, asgi, task):
        # Its traceback would keep the session alive for as long as the parameters of a test live.
        asgi.gone = error("after websocket.close")
        session.send(*say("a"))
        await task

        assert ("ended", "transport error") == session.received[-1]


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, "transport close"), (1006, "transport close"), (1012, "server shutting down")]
)
async def test_a_lost_connection_ends_the_session(engine, code, reason):
    """Whoever hangs up, the session ends once, also while something waits to be sent."""
    async with opened(engine) as (session, asgi, task):
        asgi.fill()
        session.send(*say("a"))
        await asyncio.sleep(0)
        asgi.say("websocket.disconnect", code=code)
        await task

        assert ["opened", ("ended", reason)] == session.received
        assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_a_cancelled_connection_ends_its_session(engine):
    """A server that stops cancels its tasks: the session ends, and the cancellation goes on."""
    async with opened(engine) as (session, asgi, task):
        asgi.fill()
        session.send(*say("a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

        assert ("ended", "server shutting down") == session.received[-1]
        assert {asyncio.current_task()} == asyncio.all_tasks()
        assert 0 == len(engine.wheel)


async def test_a_client_that_hung_up_at_once_is_none(engine):
    """A connection that is lost before its handshake opens no session."""
    asgi = AsgiServer()
    await asgi.receive()
    asgi.say("websocket.disconnect", code=1006)
    await engine.websocket(websocket_scope(), asgi.receive, asgi.send)

    assert ([], 0) == (asgi.sent, engine.stats["connections"])


async def test_a_pause_in_reading_keeps_the_order(engine):
    """While reading pauses the server keeps what comes; a close still ends it."""
    async with opened(engine) as (session, asgi, task):
        session.transport.pause_reading()
        asgi.text("41", "42", "43")
        await asyncio.sleep(0.01)
        assert ["opened", "41"] == session.received
        session.transport.resume_reading()
        await until(lambda: ["opened", "41", "42", "43"] == session.received)
        session.transport.pause_reading()
        asgi.text("44")
        await until(lambda: "44" in session.received)
        session.close()
        await task

        assert 1000 == asgi.close_code


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("EIO=3&transport=websocket", [], 400),
        ("EIO=4&transport=polling", [], 400),
        (QUERY + "&sid=unknown", [], 400),
        (QUERY, [("Origin", "https://evil.example")], 403),
        (QUERY, [("X-Padding", "x" * 20_000)], 431),
    ],
)
async def test_refusals_are_http_answers(engine, query, headers, status):
    """A server that can answer a handshake over HTTP gives the status and body of the other doors; else 403."""
    asgi, plain = AsgiServer(), AsgiServer()
    extensions = {"websocket.http.response": {}}
    await engine.websocket(websocket_scope(query, headers, extensions=extensions), asgi.receive, asgi.send)
    await engine.websocket(websocket_scope(query, headers), plain.receive, plain.send)

    assert ["http.response.start", "http.response.body"] == asgi.kinds
    assert status == asgi.sent[0]["status"]
    assert asgi.sent[1]["body"].startswith(b'{"code":')
    assert ["close"] == plain.kinds
    assert 2 == sum(count for label, count in engine.stats.items() if label.startswith("refused:"))


async def test_a_full_server_says_when_to_come_back(engine):
    """A refusal for now carries Retry-After."""
    engine.refuse_new = True
    asgi = AsgiServer()
    extensions = {"websocket.http.response": {}}
    await engine.websocket(websocket_scope(extensions=extensions), asgi.receive, asgi.send)

    assert 503 == asgi.sent[0]["status"]
    assert (b"retry-after", b"5") in asgi.sent[0]["headers"]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_own_pages_are_served(engine, scheme):
    """The scheme of the page is that of the WebSocket."""
    origin = scheme.replace("ws", "http") + "://api.example"
    asgi = AsgiServer()
    headers = [("Host", "api.example"), ("Origin", origin)]
    task = asyncio.create_task(
        engine.websocket(websocket_scope(headers=headers, scheme=scheme), asgi.receive, asgi.send)
    )
    await until(lambda: asgi.sent)
    asgi.say("websocket.disconnect", code=1001)
    await task

    assert "accept" == asgi.kinds[0]


class TestUpgrade:
    """From polling to WebSocket."""

    @pytest.fixture
    async def session(self, engine):
        engine.bind()
        session, _ = engine.open("203.0.113.5", ("websocket",))
        session.start(PollingTransport(engine, session))
        yield session
        session.abort()

    async def test_an_upgrade_takes_along_what_waits(self, engine, session):
        """Between probe and confirmation the session talks to the poll; then all goes here, in order."""
        async with connected(engine, query=f"{QUERY}&sid={session.sid}") as (asgi, _):
            asgi.text("2probe")
            await until(lambda: len(asgi.sent) == 2)
            assert ["accept", "send"] == asgi.kinds
            assert "3probe" == asgi.sent[1]["text"]
            session.send(*say("a"))
            asgi.text("5", "4hello")
            await until(lambda: "4hello" in session.received)
            session.send(*say("b"))
            await until(lambda: len(asgi.said) == 2)

            assert ["4a", "4b"] == asgi.said
            assert "websocket" == session.transport_name

    async def test_a_probe_that_stays_silent_is_closed(self, session):
        """An upgrade has a deadline; the session does not notice."""
        engine = session._server
        engine.limits = Limits(upgrade_deadline_s=0.02)
        async with connected(engine, query=f"{QUERY}&sid={session.sid}") as (asgi, task):
            asgi.text("2probe")
            await task

            assert 1008 == asgi.close_code
        assert not session.closed
        assert session.upgrading is None

    @pytest.mark.parametrize("first", ["4hello", "5", b"2probe"])
    async def test_a_probe_comes_first(self, engine, session, first):
        """Anything else closes this WebSocket, not the session."""
        async with connected(engine, query=f"{QUERY}&sid={session.sid}") as (asgi, task):
            asgi.say(**{"text" if isinstance(first, str) else "bytes": first})
            await task

            assert 1002 == asgi.close_code
        assert not session.closed

    async def test_a_second_probe_is_closed(self, engine, session):
        """One upgrade at a time; the first one is not disturbed, and a lost one makes room."""
        async with connected(engine, query=f"{QUERY}&sid={session.sid}") as (first, first_task):
            first.text("2probe")
            await until(lambda: session.upgrading is not None)
            async with connected(engine, query=f"{QUERY}&sid={session.sid}") as (second, second_task):
                await second_task
                assert ["accept", "close"] == second.kinds
                assert 1008 == second.close_code
            assert session.upgrading is not None
            first.say("websocket.disconnect", code=1006)
            await first_task

            assert session.upgrading is None
