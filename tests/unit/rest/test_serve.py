"""The HTTP server where two things happen at once: signals, words of the supervisor, a client and the end."""

import asyncio
import signal
import socket
import time

import pytest
import uvloop

from tests.wire.apps import engine_app
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
