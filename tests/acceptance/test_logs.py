"""What the log of a server tells, read as an operator reads it: lines of JSON from a real process."""

import asyncio
import json
import re
import sys
from contextlib import suppress

import httpx
import pytest

from tests.acceptance.wire_socket import Refused, wire
from tests.conftest import SECRET
from tests.processes import environment, running, serving
from tocsin import Settings
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId

pytestmark = pytest.mark.slow

_SETTINGS = Settings(_env_file=None, jwt_secret=SECRET)
# A handler of a host that fails, and says what it was given.
_HOST = """
import logging
from tocsin import build
service = build()

@service.on("boom", namespace="/sns")
async def boom(user_id, data):
    logging.getLogger("host").warning("about to fail")
    raise RuntimeError("failed on " + data["with"])

@service.on("hello", namespace="/sns")
def hello(user_id, data):
    logging.getLogger("host").warning("in a thread")

app = service.asgi()
"""


def token(user, scope=""):
    return issue_token(_SETTINGS, UserId(user), ttl_s=600, scope=scope)


def lines(process):
    """Return the records of the log; whatever is none fails the test."""
    return [json.loads(line) for line in process.errors.read_text().splitlines()]


def client(url):
    return httpx.AsyncClient(base_url=url, trust_env=False)


async def publish(http, **headers):
    body = {"user_id": "alice", "type": "t", "title": "title-secret", "message": "message-secret"}
    headers |= {"Authorization": f"Bearer {token('shop', 'publish')}"}
    return await http.post("/api/notifications", json=body, headers=headers)


async def test_a_request_has_one_line_that_names_its_route(tmp_path):
    """Method, template, status, duration and id, and nothing that the caller wrote but the id."""
    env = environment(tmp_path / "a.db", TOCSIN_LOG_FORMAT="json", TOCSIN_ACCESS_LOG="on")
    async with serving(tmp_path, env) as (url, process), client(url) as http:
        made = await publish(http, **{"X-Request-ID": "order-17.retry_2"})
        await http.get(
            f"/api/notifications/{made.json()['id']}?token=query-secret",
            headers={"Authorization": f"Bearer {token('bob')}"},
        )
        await http.post(
            "/api/fcm/register-device",
            json={"token": "device-secret-0123456789", "platform": "android"},
            headers={"Authorization": f"Bearer {token('alice')}"},
        )
        await http.get("/path-secret")
    told = [line for line in lines(process) if line["logger"] == "tocsin.access"]
    text = process.errors.read_text()

    assert "order-17.retry_2" == made.headers["x-request-id"]
    assert [
        ("POST", "/api/notifications", 201),
        ("GET", "/api/notifications/{notification_id}", 404),
        ("POST", "/api/fcm/register-device", 201),
        ("GET", "other", 404),
    ] == [(line["method"], line["route"], line["status"]) for line in told]
    assert "order-17.retry_2" == told[0]["request_id"]
    assert all(line["duration_ms"] > 0 for line in told)
    assert "secret" not in text
    assert "eyJ" not in text
    assert made.json()["id"] not in text


async def test_without_being_asked_no_request_is_logged(tmp_path):
    """A line costs time; the counters tell as much."""
    env = environment(tmp_path / "a.db", TOCSIN_LOG_FORMAT="json")
    async with serving(tmp_path, env) as (url, process), client(url) as http:
        assert 201 == (await publish(http)).status_code

    assert [] == [line for line in lines(process) if line["logger"] == "tocsin.access"]


async def test_strangers_write_no_lines(tmp_path):
    """What is no HTTP is refused and not told of: whoever reaches the port could fill the disk."""
    async with serving(tmp_path, environment(tmp_path / "a.db", TOCSIN_LOG_FORMAT="json")) as (url, process):
        for nonsense in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(nonsense)
            assert await asyncio.wait_for(reader.read(4_096), 10)
            writer.close()

    assert lines(process) == []


@pytest.mark.parametrize("given", ["", "x" * 129, "new\tline", 'quote"', "ü"])
def test_an_id_that_looks_like_none_is_replaced(shared_server, given):
    """What goes into a log line is not anybody's to write."""
    sent = {"X-Request-ID": given.encode()} if given else {}
    answer = shared_server.http.get("/healthz", headers=sent)

    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_lines_of_a_handler_name_its_connection(tmp_path):
    """Also those of the host's own logger, in a thread too; a token in an exception's text is taken out."""
    (tmp_path / "host.py").write_text(_HOST)
    env = environment(tmp_path / "a.db", TOCSIN_LOG_FORMAT="json", PYTHONPATH=str(tmp_path))
    jwt = token("alice")
    command = (sys.executable, "-c", "from tocsin.cli import main; main()", "serve", "host:app", "--port", "0")
    async with running(tmp_path, *command, env=env) as process:
        url = (await process.line()).rpartition(" ")[2]
        async with wire(url) as first, wire(url) as second:
            for socket in (first, second):
                await socket.connect("/sns", {"token": jwt})
            assert "internal_error" == (await first.ask("/sns", "boom", {"with": jwt}))["code"]
            await second.ask("/sns", "hello", {})
            sids = [socket.sid for socket in (first, second)]
            with suppress(Refused):
                await first.connect("/chat", {"token": f"{jwt}x"})
    told = {line["event"].partition(":")[0]: line for line in lines(process)}
    text = process.errors.read_text()

    failed = told["An event handler of /sns failed"]
    assert failed["connection"] == told["about to fail"]["connection"] == told["websocket"]["connection"]
    assert told["in a thread"]["connection"] not in {"", failed["connection"]}
    assert "failed on [token]" in failed["exception"]
    assert "eyJ" not in text
    assert not any(sid in text for sid in sids)
