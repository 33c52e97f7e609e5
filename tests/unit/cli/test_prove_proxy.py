"""The relay between a server and those who rely on it does as a bad network does."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from tests.acceptance.wire_socket import eventually
from tocsin.cli.prove.proxy import Proxy, Way


class Echo:
    """A server that says back what it hears; ``ended`` counts the connections whose end it has heard of."""

    def __init__(self):
        self.heard = b""
        self.ended = 0
        self.writers = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while data := await reader.read(65_536):
                self.heard += data
                writer.write(data)
        except OSError:
            pass
        self.ended += 1
        writer.close()


@asynccontextmanager
async def relayed():
    """Yield an echo server, the relay before it, and a connection through it."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with Proxy(*server.sockets[0].getsockname()) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello")
        assert b"hello" == await reader.readexactly(5)
        yield echo, proxy, reader, writer
    for one in (writer, *echo.writers):
        one.transport.abort()
        with suppress(OSError):
            await one.wait_closed()
    server.close()


async def silence(reader):
    """Assert that nothing comes for a moment."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read(1)


async def test_what_is_sent_into_a_stall_arrives_after_it():
    """Nothing passes, nobody is told, and nothing is lost."""
    async with relayed() as (echo, proxy, reader, writer):
        proxy.stall()
        writer.write(b"again")
        await silence(reader)
        heard = echo.heard
        proxy.heal()
        again = await reader.readexactly(5)
        open_ = len(proxy)

    assert (b"hello", b"again", 1) == (heard, again, open_)


@pytest.mark.parametrize(("way", "heard"), [(Way.UP, b"hello"), (Way.DOWN, b"helloagain")])
async def test_a_stall_of_one_way_leaves_the_other(way, heard):
    async with relayed() as (echo, proxy, reader, writer):
        proxy.stall(way)
        writer.write(b"again")
        await silence(reader)
        got = echo.heard
        proxy.heal()
        again = await reader.readexactly(5)

    assert (heard, b"again") == (got, again)


async def test_the_end_of_a_connection_does_not_pass_a_stall():
    """A client that goes meanwhile is missed only afterwards."""
    async with relayed() as (echo, proxy, _reader, writer):
        proxy.stall()
        writer.transport.abort()
        await asyncio.sleep(0.1)
        ended = echo.ended
        proxy.heal()
        await eventually(lambda: echo.ended)

    assert 0 == ended


async def test_a_cut_is_heard_at_both_ends():
    async with relayed() as (echo, proxy, reader, _writer):
        assert 1 == proxy.cut()
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await eventually(lambda: echo.ended)
        await eventually(lambda: not len(proxy))


async def test_a_target_that_is_down_refuses_through_the_relay():
    async with relayed() as (_echo, proxy, _reader, _writer):
        proxy._target = ("127.0.0.1", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
