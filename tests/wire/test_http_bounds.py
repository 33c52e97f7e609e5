"""Plain HTTP connections that hold on to the server: each is cut, and leaves nothing behind."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.wire.apps import engine_app, serving
from tests.wire.clients import DEADLINE_S, Client
from tests.wire.conftest import Serve, eventually
from tocsin.engine.engine_server import EngineServer
from tocsin.engine.limits import Limits

pytestmark = pytest.mark.own_doors

SHORT_S = 0.3
RESTS = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = (
    "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture(scope="module")
def server(loop_name: str) -> EngineServer:
    return engine_app(limits=Limits(head_deadline_s=SHORT_S))


@pytest.fixture(scope="module")
def client(module_serve, server: EngineServer) -> Client:
    """A server that waits a short time for what a client owes it."""
    return module_serve(server)


def post(sid: str, fields: str, body: str = "") -> bytes:
    return f"POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{body}".encode()


async def test_empty_lines_hold_no_connection(client: Client):
    """Lines that may come before a request do not stand for one."""
    connection = await client.raw(b"\r\n")

    assert 0 == connection.answer.status


async def test_empty_lines_after_an_answer_hold_no_connection(client: Client):
    """They end uvicorn's keep-alive, and the deadline of a new request begins."""
    connection = await client.raw(b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
    await connection.send_raw(b"\r\n")

    assert 200 == connection.answer.status
    assert await connection.cut()


async def test_a_body_that_stops_is_cut(client: Client):
    """A POST whose body never ends does not outlive its deadline."""
    sid = await client.polling_session()
    connection = await client.raw(post(sid, "Content-Length: 100", "4"))

    assert 0 == connection.answer.status


@pytest.mark.parametrize("last_chunk", ["0\r\nX-Trailer: ", "5;extension="])
async def test_what_never_ends_behind_a_chunk_is_cut(client: Client, last_chunk):
    """Trailers and extensions of chunks are bounded like heads: nobody else counts their bytes."""
    sid = await client.polling_session()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(post(sid, "Transfer-Encoding: chunked", "2\r\n4a\r\n" + last_chunk))
    async with asyncio.timeout(DEADLINE_S):
        with suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x" * 16_384)
                await writer.drain()
                await asyncio.sleep(0)
    writer.close()


async def test_no_upgrade_overtakes_an_answer(client: Client, server: EngineServer):
    """A WebSocket asked for behind a poll that waits cuts the connection, and the poll with it."""
    sid = await client.polling_session()
    poll = f"GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n\r\n"
    connection = await client.raw(f"{poll}GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\n{UPGRADE}".encode())

    assert 0 == connection.answer.status
    await eventually(lambda: sid not in server.sessions)


@pytest.fixture
def download(loop_name: str) -> Iterator[tuple[int, threading.Event]]:
    """A host application with a big file; yield the port, and what is set when an answer has ended."""
    ended = threading.Event()

    async def app(scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(64):
                await asyncio.sleep(0.002)  # as one waits for a disk
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            ended.set()

    server = engine_app(limits=Limits(head_deadline_s=SHORT_S))
    with serving(server, loop_name, app=app) as port:
        yield port, ended


@pytest.mark.parametrize(
    "then",
    ["", "GET /file HTTP/1.1\r\nHost: x\r\n\r\n", f"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\n{UPGRADE}"],
)
async def test_an_answer_that_nobody_takes_is_cut(download, then, caplog):
    """A client that reads nothing holds no file open, whatever it asks for meanwhile."""
    port, ended = download
    connection = await Client(port, "/engine.io/").raw(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.reader._transport.pause_reading()
    await connection.send_raw(then.encode())

    await eventually(ended.is_set)
    assert [] == [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_address_may_hold_so_many_connections_that_carry_no_websocket(serve: Serve):
    """Whether they ask for nothing, for half of something or rest after an answer; the next is cut at once."""
    server = engine_app(limits=Limits(connections_per_address=1), trusted_proxies=())
    client = serve(server)

    async def connect(data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        opened.append(writer)
        writer.write(data)
        return reader, writer

    async def has_room() -> bool:
        reader, writer = await connect(RESTS)
        answered = b""
        with suppress(ConnectionError):
            answered = await reader.readline()
        writer.close()
        return answered.startswith(b"HTTP/1.1 404")

    opened: list[asyncio.StreamWriter] = []
    try:
        async with asyncio.timeout(DEADLINE_S), await client.session():
            # The session's own connection has become a WebSocket, and is none of these.
            _, silent = await connect()
            for half in (b"GET / HTTP/1.1\r\nHos", b"\r\n"):
                await connect(half)
            resting, _ = await connect(RESTS)
            assert (await resting.readline()).startswith(b"HTTP/1.1 404")
            with suppress(ConnectionError):
                assert b"" == await (await connect())[0].read(1)
            assert 1 == server.stats["refused:address"]
            silent.close()
            await eventually(has_room)
    finally:
        for writer in opened:
            writer.close()
