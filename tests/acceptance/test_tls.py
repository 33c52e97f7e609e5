"""TLS by the server itself, in real processes: every door, a client that does not read, a renewed certificate."""

import asyncio
import os
import shutil
import ssl
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
import pytest
import socketio
from websockets.asyncio.client import connect

from tests import processes
from tests.acceptance.wire_socket import DEADLINE_S, WireSocket
from tests.certificates import self_signed
from tests.conftest import SECRET
from tocsin import Settings
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId
from tocsin.rest.tls import Certificate

SIZE, POSTS = 15_000, 1_000

UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def token(scope=""):
    settings = Settings(_env_file=None, jwt_secret=SECRET, jwt_public_key=None)
    return issue_token(settings, UserId("7"), ttl_s=600, scope=scope)


@asynccontextmanager
async def serving(folder, **settings):
    """A server with a certificate of its own; its URL by the name in it, and who trusts it."""
    pem = self_signed(folder)
    env = processes.environment(folder / "tocsin.db", TOCSIN_TLS_CERTIFICATE=str(pem), **settings)
    async with processes.serving(folder, env) as (url, _):
        assert url.startswith("https://127.0.0.1:")
        yield url.replace("127.0.0.1", "localhost"), ssl.create_default_context(cafile=pem)


@asynccontextmanager
async def rest(url, trusting):
    connector = aiohttp.TCPConnector(ssl=trusting)
    headers = {"Authorization": f"Bearer {token('publish')}"}
    async with aiohttp.ClientSession(url, connector=connector, headers=headers) as http:
        yield http


async def test_rest_polling_and_websockets(tmp_path):
    """A stock client polls, upgrades and is told what a POST stored."""
    async with serving(tmp_path) as (url, trusting), rest(url, trusting) as http:
        heard = asyncio.Queue()
        client = socketio.AsyncClient(
            http_session=aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)),
            websocket_extra_options={"ssl": trusting},
            reconnection=False,
        )
        client.on("notification", heard.put, namespace="/notifications")
        await client.connect(url, auth={"token": token()}, namespaces=["/notifications"])
        assert client.transport() == "websocket"
        body = {"user_id": "7", "type": "order", "title": "안녕", "message": "over TLS"}
        async with http.post("/api/notifications", json=body) as answer:
            created = await answer.json()
            assert answer.status == 201, created
        async with asyncio.timeout(DEADLINE_S):
            told = await heard.get()
        await client.disconnect()
        await client.eio.http.close()

    assert (answer.status, told["id"], told["title"]) == (201, created["id"], "안녕")


async def test_a_request_in_one_segment_with_the_end_of_the_handshake(tmp_path):
    """What TLS itself has still to write then does not count as a client that takes nothing."""
    async with serving(tmp_path) as (url, trusting):
        arriving, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(arriving, leaving, server_hostname="localhost")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))

        async def until(step):
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    with suppress(ssl.SSLWantReadError):
                        return step()
                    writer.write(leaving.read())
                    arriving.write(await reader.read(65_536))

        await until(client.do_handshake)
        connect = f'40/notifications,{{"token":"{token()}"}}'.encode()
        client.write(UPGRADE)
        seen = b""
        writer.write(leaving.read())
        while b'"sid"' not in seen:
            seen += await until(lambda: client.read(65_536))
        client.write(b"\x81\xfe" + len(connect).to_bytes(2) + bytes(4) + connect)
        writer.write(leaving.read())
        while b"synced" not in seen:
            seen += await until(lambda: client.read(65_536))
        writer.close()

    assert seen.startswith(b"HTTP/1.1 101 ")


async def test_handshakes_of_an_address_are_bounded(tmp_path):
    """Four that never end for each connection that it may have; the next is cut at once."""
    limits = {"TOCSIN_LIMIT_ADDRESS_CONNECTIONS": "1", "TOCSIN_TRUSTED_PROXIES": "192.0.2.1"}
    async with serving(tmp_path, **limits) as (url, _), AsyncExitStack() as stack:
        for number in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            stack.callback(writer.close)
            if number == 4:
                ended = b"reset"
                with suppress(ConnectionError):
                    async with asyncio.timeout(DEADLINE_S):
                        ended = await reader.read(1)

    assert ended in (b"", b"reset")


async def test_a_page_of_the_same_origin_may_connect(tmp_path):
    """The server's own origin is its https one; the http one of the same name is another."""
    async with serving(tmp_path) as (url, trusting), rest(url, trusting) as http:
        statuses = []
        for origin in (url, url.replace("https", "http")):
            async with http.get("/socket.io/?EIO=4&transport=polling", headers={"Origin": origin}) as answer:
                statuses.append(answer.status)

    assert statuses == [200, 403]


async def test_a_client_that_does_not_read_is_cut(tmp_path):
    """Megabytes for one who takes nothing end his connection, not the server's memory or the others' service."""
    async with serving(tmp_path) as (url, trusting), rest(url, trusting) as http:
        address = url.replace("https", "wss") + "/socket.io/?EIO=4&transport=websocket"
        options = {"ssl": trusting, "compression": None, "ping_interval": None, "max_size": None, "proxy": None}
        async with connect(address, **options) as deaf, connect(address, **options) as other:
            hearing = WireSocket(other)
            await deaf.send(f'40/notifications,{{"token":"{token()}"}}')
            await hearing.connect("/notifications", {"token": token()})
            deaf.transport.pause_reading()
            body = {"user_id": "7", "type": "order", "title": "t", "message": "m", "data": {"much": "m" * SIZE}}
            for _ in range(POSTS):
                async with http.post("/api/notifications", json=body) as answer:
                    assert answer.status == 201, await answer.text()
            seen = 0
            while seen < POSTS:
                await hearing.payload("/notifications", "notification")
                seen += 1
            hearing._reader.cancel()
            # 16 MB can't be in the buffers between: the server has let go of it.
            async with http.get("/healthz") as answer:
                assert answer.status == 200
            deaf.transport.resume_reading()
            async with asyncio.timeout(DEADLINE_S):
                taken = 0
                try:
                    while True:
                        taken += len(await deaf.recv())
                except Exception as error:  # noqa: BLE001 whichever way it ended
                    ended = error

    assert "ConnectionClosed" in type(ended).__name__
    assert taken < POSTS * SIZE


def test_a_renewed_certificate_is_taken(tmp_path):
    """The next handshake gets the new one; half a pair changes nothing."""
    pem = self_signed(tmp_path)
    certificate = Certificate(pem)
    renewed = tmp_path / "renewed"
    renewed.mkdir()

    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    certificate.look()
    shutil.copy(self_signed(renewed), pem)
    trusting = ssl.create_default_context(cafile=pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(certificate.context, trusting)
    certificate.look()
    shake(certificate.context, trusting)


def test_a_certificate_that_looks_like_the_one_before_is_taken(tmp_path):
    """Written into the same file, as long and as old: as ``rsync -t`` or a restored backup does it."""
    pem = self_signed(tmp_path)
    pem.write_bytes(pem.read_bytes().ljust(4_096, b"\n"))
    before = pem.stat()
    certificate = Certificate(pem)
    renewed = tmp_path / "renewed"
    renewed.mkdir()
    content = self_signed(renewed).read_bytes().ljust(4_096, b"\n")
    after = before
    while after.st_ctime_ns == before.st_ctime_ns:
        pem.write_bytes(content)
        os.utime(pem, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = pem.stat()
    certificate.look()

    assert (before.st_ino, before.st_mtime_ns, before.st_size) == (after.st_ino, after.st_mtime_ns, after.st_size)
    shake(certificate.context, ssl.create_default_context(cafile=pem))


def shake(ours, theirs):
    """Do a handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = ours.wrap_bio(up, down, server_side=True)
    client = theirs.wrap_bio(down, up, server_hostname="localhost")
    for _ in range(5):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_certificate_that_can_not_be_used_is_told_in_one_line(tmp_path, content):
    """At the start, with the setting's name."""
    pem = tmp_path / "bad.pem"
    if content is not None:
        pem.write_text(content)
    env = processes.environment(tmp_path / "tocsin.db", TOCSIN_TLS_CERTIFICATE=str(pem))
    with pytest.raises(AssertionError) as failed:
        async with processes.serving(tmp_path, env):
            pass

    (line,) = str(failed.value).splitlines()[:1]
    assert "TOCSIN_TLS_CERTIFICATE" in line
    assert "bad.pem" in line
