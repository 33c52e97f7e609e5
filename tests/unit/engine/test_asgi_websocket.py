"""The WebSocket transport over ASGI: what it sends when, what it holds back, whom it cuts."""

import asyncio

import pytest

from tests.unit.engine.asgi_servers import (
    AsgiServer,
    UvicornServer,
    connected,
    opened,
    say,
)
from tests.unit.engine.fakes import Recorder, until
from tocsin.engine.engine_server import EngineServer
from tocsin.engine.limits import Limits
from tocsin.engine.packets import EncodedPacket, encode_message


@pytest.fixture
def engine():
    return EngineServer(Recorder, limits=Limits(queue_packets=4, queue_bytes=10_000, max_payload=100))


async def test_the_handshake_comes_first(engine):
    """Accept, then the Engine.IO handshake, before anything else; what the client said meanwhile is taken."""
    async with connected(engine) as (asgi, _):
        asgi.text("4early")
        await until(lambda: engine.sessions and len(asgi.sent) == 2)

        assert ["accept", "send"] == asgi.kinds
        assert asgi.sent[1]["text"].startswith("0{")
        (session,) = engine.sessions.values()
        await until(lambda: ["opened", "4early"] == session.received)


async def test_one_turn_leaves_together(engine):
    """What one turn of the loop brings leaves in the next, in order, attachments behind their text."""
    async with opened(engine) as (session, asgi, _):
        session.send(EncodedPacket(b"45x", (b"\x01",)))
        for packet in (*say("b"), encode_message(b"\x02")):
            session.transport.defer(packet)
        assert [] == asgi.said
        await asyncio.sleep(0)

        assert ["45x", b"\x01", "4b", b"\x02"] == asgi.said


async def test_at_rest_there_is_one_task(engine):
    """The server's own task is all that a silent connection has."""
    before = asyncio.all_tasks()
    async with opened(engine) as (session, asgi, task):
        session.send(*say("a"))
        await until(lambda: asgi.said)

        assert {task} == asyncio.all_tasks() - before


async def test_a_turn_has_room_for_a_burst(engine):
    """A client that reads is not cut for what one turn brings, as long as that has a bound too."""
    async with opened(engine) as (session, asgi, _):
        assert all(session.send(packet) for packet in say(*map(str, range(32))))
        await until(lambda: len(asgi.said) == 32)
        assert not session.closed

        assert [True] * 32 + [False] == [session.send(packet) for packet in say(*map(str, range(33)))]
        assert ("ended", "slow") == session.received[-1]


async def test_a_slow_client_gets_everything_in_order(engine):
    """What waits while the server takes nothing follows when it does; ``drained`` waits for that."""
    async with opened(engine) as (session, asgi, _):
        asgi.fill()
        for word in "abcd":
            session.send(*say(word))
            await asyncio.sleep(0)
        waiting = asyncio.create_task(session.drained())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        asgi.drain()
        await waiting

        assert ["4a", "4b", "4c", "4d"] == asgi.said
        assert not session.transport.is_stalled


async def test_a_slow_client_loses_ephemerals_first(engine):
    """Typing signs make way; then the client is cut as slow, and nobody else waited."""
    async with opened(engine, UvicornServer) as (session, asgi, task):
        asgi.fill()
        session.send(*say("server"))
        await asyncio.sleep(0)
        assert session.send(*say("typing"), ephemeral=True)
        assert all(session.send(packet) for packet in say(*"abcd"))
        assert not session.send(*say("typing"), ephemeral=True)
        assert not session.closed
        assert not session.send(*say("e"))
        await task

        assert ("ended", "slow") == session.received[-1]
        assert (1, 1) == (engine.stats["refused:slow"], engine.stats["dropped:ephemeral"])
        assert asgi.transport.is_aborted
        assert 0 == len(engine.wheel)


@pytest.mark.parametrize("kind", [AsgiServer, UvicornServer])
async def test_a_client_that_takes_nothing_is_cut(kind):
    """A send that does not get on has a deadline, also where the server has no way to cut."""
    engine = EngineServer(Recorder, ping_interval=0.4, limits=Limits(write_deadline_s=0.02))
    async with opened(engine, kind) as (session, asgi, task):
        asgi.fill()
        session.send(*say("a"))
        await task

        assert ("ended", "slow") == session.received[-1]


async def test_a_slow_link_may_take_its_time():
    """As long as bytes leave, the deadline starts again."""
    engine = EngineServer(Recorder, ping_interval=0.4, limits=Limits(write_deadline_s=0.02))
    async with opened(engine, UvicornServer) as (session, asgi, _):
        asgi.fill()
        asgi.transport.waiting = 100
        session.send(*say("a"))
        await asyncio.sleep(0)
        now = engine.loop.time()
        for _ in range(5):
            asgi.transport.waiting -= 1
            assert session.transport.on_due(now) is not None
        assert session.transport.on_due(now) is None

        assert session.closed


async def test_a_full_turn_of_messages_lets_answers_out():
    """A client that says much at once gets its first answers before the last message is taken."""

    class Echo(Recorder):
        __slots__ = ()

        def message_received(self, text):
            self.send(encode_message(text[1:]))

    # More than 128 answers in one turn would be too many.
    engine = EngineServer(Echo, limits=Limits(queue_packets=16))
    async with opened(engine) as (session, asgi, _):
        asgi.text(*(f"4{n}" for n in range(300)))
        await until(lambda: session.closed or len(asgi.said) == 300)

        assert [f"4{n}" for n in range(300)] == asgi.said
        assert not session.closed
