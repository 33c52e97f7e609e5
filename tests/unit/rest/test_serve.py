"""The HTTP server where two things happen at once: signals, words of the supervisor, a client and the end."""

import asyncio
import signal
import time

from tests.wire.apps import engine_app
from tocsin.rest.serve import HttpServer, listen

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
