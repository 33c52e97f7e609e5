"""The HTTP server where two things happen at once: signals, words of the supervisor, a client and the end."""

import asyncio
import signal
import socket
import time
from pathlib import Path

import pytest
import uvloop

from tests.acceptance.wire_socket import eventually
from tests.wire.apps import engine_app
from tocsin.engine.siblings import Siblings
from tocsin.rest.seat import Seat
from tocsin.rest.serve import LAST_ANSWERS_S, HttpServer, listen

LONG_S = 20.0


async def nothing():
    """Drain nobody."""


def make_server(*, drain=nothing, **options):
    engine = options.pop("engine", None) or engine_app()
    return HttpServer(engine.asgi(), engine=engine, drain=drain, on_ready=lambda: None, **options)


async def test_a_second_signal_ends_the_drain_also_before_it_has_begun():
    """The server looks for the first ten times a second, and later where it is busy."""
    steps = []

    async def drain():
        steps.append("begun")
        await asyncio.sleep(2 * LONG_S)
        steps.append("ended")

    server = make_server(drain=drain)
    for _ in range(2):
        server.handle_exit(signal.SIGTERM, None)
    begun_at = time.monotonic()
    await server.serve(sockets=[listen("127.0.0.1", 0)])

    assert ["begun"] == steps
    assert time.monotonic() - begun_at < LONG_S


@pytest.mark.parametrize("turns", range(4))
def test_who_connects_in_the_moment_of_the_end_does_not_hold_it_up(turns):
    """A connection that was accepted and is not registered yet is closed with the others."""
    listener, clients = listen("127.0.0.1", 0), []

    async def drain():
        clients.append(socket.create_connection(listener.getsockname()))
        for _ in range(turns):
            await asyncio.sleep(0)

    async def serve():
        server = make_server(drain=drain)
        server.handle_exit(signal.SIGTERM, None)
        await server.serve(sockets=[listener])

    begun_at = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())

    with clients[0]:
        assert time.monotonic() - begun_at < LAST_ANSWERS_S


@pytest.fixture
async def worker(tmp_path):
    """A worker with two places, and its supervisor's end of the line."""
    engine = engine_app()
    engine.siblings = Siblings(tmp_path, 1)
    ours, theirs = socket.socketpair()
    places = [listen("127.0.0.1", 0) for _ in range(2)]
    server = make_server(engine=engine, seat=Seat(1, 0, places, tmp_path, theirs))
    serving = asyncio.create_task(server.serve(sockets=[engine.siblings.listen()]))
    with ours, theirs:
        await eventually(lambda: server.started)
        yield server, ours
        server.should_exit = True
        await serving
        asyncio.get_running_loop().remove_reader(theirs)


@pytest.mark.parametrize("words", [b"accept 1\nrelease 1\n", b"accept 1\naccept 1\nrelease 1\n"])
async def test_a_worker_that_was_busy_gives_a_place_back_all_the_same(worker, words):
    """It hears of a place that has no worker, and that it has one again, in one read."""
    server, line = worker
    line.send(words)
    await asyncio.sleep(0.1)

    assert [0] == [*server._accepting]
    assert 2 == sum(one.is_serving() for one in server.servers)
    line.send(b"accept 1\n")
    await eventually(lambda: sum(one.is_serving() for one in server.servers) == 3)


async def test_a_supervisor_that_is_killed_is_no_fault_of_its_worker(caplog):
    """What it had not read resets the line."""
    ours, theirs = socket.socketpair()
    words = []
    with theirs:
        Seat(1, 0, [], Path(), theirs).follow(words.append)
        ours.close()
        await eventually(lambda: words)

    assert [""] == words
    assert not caplog.records
