"""TLS handshakes over real connections: they are counted until they are done, and whatever ends one leaves nothing."""

import asyncio
import errno
import ssl
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import SimpleNamespace

import pytest
import uvicorn

from tests.certificates import self_signed
from tests.wire.apps import engine_app, running
from tests.wire.clients import DEADLINE_S
from tests.wire.conftest import eventually
from tocsin.engine.limits import Limits
from tocsin.engine.tls_door import TlsDoor

REQUEST = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 404"


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusting(pem):
    return ssl.create_default_context(cafile=pem)


@pytest.fixture(params=["uvloop", "asyncio"])
def serve(request, pem):
    """Serve the Engine.IO app by TLS; give the server and its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    limits = Limits(connections_per_address=1, **getattr(request.function, "limits", {}))
    server = engine_app(limits=limits, trusted_proxies=())
    config = uvicorn.Config(
        server.asgi(),
        port=0,
        http=partial(server.tls_protocol, context),
        ws=server.websocket_protocol,
        loop=request.param,
        log_config=None,
    )
    with running(config) as port:
        yield server, port


@asynccontextmanager
async def connection(port, **options):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def rest(reader):
    """Read to the end, however the server has made it."""
    data = b""
    async with asyncio.timeout(DEADLINE_S):
        with suppress(OSError):
            while more := await reader.read(65_536):
                data += more
    return data


def has_nobody(server):
    return not server._bare._held


async def test_handshakes_of_an_address_are_bounded(serve, trusting):
    """One that never ends is counted, the next is cut at once; who leaves makes room."""
    server, port = serve

    async def is_served():
        with suppress(OSError):
            async with connection(port, ssl=trusting, server_hostname="localhost") as (reader, writer):
                writer.write(REQUEST)
                return (await rest(reader)).startswith(ANSWER)
        return False

    async with connection(port), connection(port), connection(port) as (_, half):
        half.write(b"\x16\x03\x01")
        async with connection(port):
            await eventually(lambda: server._bare._held.get("127.0.0.1") == 4)
            async with connection(port) as (reader, _):
                assert b"" == await rest(reader)
        assert server.stats["refused:address"] >= 1
        await eventually(is_served)
    await eventually(lambda: has_nobody(server))


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", REQUEST], ids=["nothing", "half", "no TLS"])
async def test_who_breaks_off_leaves_nothing(serve, said):
    """Whether it hangs up or speaks another protocol."""
    server, port = serve
    async with connection(port) as (reader, writer):
        writer.write(said)
        if said == REQUEST:
            await rest(reader)
        else:
            await eventually(lambda: not has_nobody(server))

    await eventually(lambda: has_nobody(server))


async def test_a_handshake_has_a_deadline(serve):
    """Who says nothing is cut."""
    server, port = serve
    async with connection(port) as (reader, _):
        assert b"" == await rest(reader)

    await eventually(lambda: has_nobody(server))


test_a_handshake_has_a_deadline.limits = {"head_deadline_s": 0.3}


async def test_one_that_is_cut_before_its_handshake_begins_leaves_nothing(serve, monkeypatch):
    """The server stops in the moment in which it accepts."""
    server, port = serve
    doors = []
    real = TlsDoor.connection_made

    def connection_made(door, tcp):
        doors.append(door)
        real(door, tcp)
        door.shutdown()

    monkeypatch.setattr(TlsDoor, "connection_made", connection_made)
    async with connection(port) as (reader, _):
        assert b"" == await rest(reader)

    await eventually(lambda: has_nobody(server))
    assert not doors[0]._state.connections


async def test_a_process_without_a_descriptor_left_counts_nobody(serve, monkeypatch):
    """The connection is cut; its address has room for another one later."""

    def dup(_):
        raise OSError(errno.EMFILE, "too many open files")

    server, port = serve
    monkeypatch.setattr("tocsin.engine.tls_door.os", SimpleNamespace(dup=dup))
    async with connection(port) as (reader, _):
        assert b"" == await rest(reader)

    assert has_nobody(server)


@pytest.mark.parametrize("is_last", [False, True], ids=["and stays", "and leaves"])
async def test_what_comes_with_the_end_of_the_handshake_is_read(serve, trusting, is_last):
    """A request in one segment with the client's last word of it, and maybe with the end of the connection."""
    server, port = serve
    arriving, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(arriving, leaving, server_hostname="localhost")
    async with connection(port) as (reader, writer):

        async def until(step):
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    with suppress(ssl.SSLWantReadError):
                        return step()
                    writer.write(leaving.read())
                    arriving.write(await reader.read(65_536))

        await until(client.do_handshake)
        client.write(REQUEST)
        if is_last:
            with suppress(ssl.SSLWantReadError):
                client.unwrap()
            writer.write(leaving.read())
            writer.write_eof()
            await rest(reader)
        else:
            writer.write(leaving.read())
            assert (await until(lambda: client.read(65_536))).startswith(ANSWER)

    await eventually(lambda: has_nobody(server))
