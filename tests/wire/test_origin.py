"""Cross-site requests: a foreign page gets no session, on no transport."""

import pytest

from tests.wire.apps import socket_app
from tests.wire.clients import Client
from tests.wire.conftest import Serve
from tocsin.engine import allow_list

pytestmark = pytest.mark.usefixtures("bystander")

FOREIGN = [
    "null",
    "",
    "https://evil.example",
    "http://{host}.evil.example",
    "http://evil-{host}",
    "http://user@{host}",
    "http://{host}@evil.example",
    "http://{host}/",
    "http://{host}#",
    "https://{host}",
    "ws://{host}",
    "file://",
    "http://127.0.0.1",
    "http://localhost:1",
    "{host}",
    "http://{host}, http://{host}",
    "http://{host} https://evil.example",
]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_foreign_pages_get_no_polling(sockets: Client, origin):
    """A foreign Origin is answered 403, without a CORS header and without a session."""
    value = origin.format(host=sockets.host)
    answer = await sockets.request("GET", "EIO=4&transport=polling", Origin=value)

    assert answer.status_code in (400, 403)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert "sid" not in answer.text


@pytest.mark.parametrize("origin", FOREIGN)
async def test_foreign_pages_get_no_websocket(sockets: Client, origin):
    """A foreign Origin gets no 101."""
    async with await sockets.upgrade(Origin=origin.format(host=sockets.host)) as socket:
        assert socket.answer.status in (400, 403)
        assert not [name for name in socket.answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_foreign_pages_touch_no_session(sockets: Client, method):
    """Even with a stolen sid a foreign page can neither read nor write; the session doesn't notice."""
    sid = await sockets.polling_session()
    body = b"40" if method == "POST" else None
    query = f"EIO=4&transport=polling&sid={sid}"
    answer = await sockets.request(method, query, body, Origin="https://evil.example")

    assert answer.status_code in (400, 403)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert 200 == (await sockets.push(sid, "40")).status_code


async def test_foreign_pages_upgrade_no_session(sockets: Client):
    """A stolen sid gives a foreign page no WebSocket either."""
    sid = await sockets.polling_session()
    async with await sockets.upgrade(f"EIO=4&transport=websocket&sid={sid}", Origin="https://evil.example") as socket:
        assert socket.answer.status in (400, 403)


async def test_foreign_preflights_are_not_allowed(sockets: Client):
    """The browser's question before a cross-site POST is answered without permission."""
    answer = await sockets.request(
        "OPTIONS",
        "EIO=4&transport=polling",
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )

    assert answer.status_code in (400, 403)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("origin", ["http://{host}", "HTTP://{host}"])
async def test_own_pages_are_served(sockets: Client, origin):
    """A page of this very server may connect, on both transports."""
    value = origin.format(host=sockets.host)

    assert 200 == (await sockets.request("GET", "EIO=4&transport=polling", Origin=value)).status_code
    async with await sockets.upgrade(Origin=value) as socket:
        assert 101 == socket.answer.status


async def test_listed_pages_are_served(serve: Serve):
    """A page on the allow-list may connect and read the answers; its neighbour may not."""
    client = serve(socket_app(allow_origin=allow_list(["https://shop.example"])))
    answer = await client.request("GET", "EIO=4&transport=polling", Origin="https://shop.example")

    assert 200 == answer.status_code
    assert "https://shop.example" == answer.headers["Access-Control-Allow-Origin"]
    assert "Origin" in answer.headers["Vary"]
    for origin in ("https://shop.example.evil.example", "https://evilshop.example", "http://shop.example", "null"):
        refused = await client.request("GET", "EIO=4&transport=polling", Origin=origin)
        assert 403 == refused.status_code
        assert "Access-Control-Allow-Origin" not in refused.headers
        async with await client.upgrade(Origin=origin) as socket:
            assert 403 == socket.answer.status


async def test_a_listed_page_may_ask_first(serve: Serve):
    """The preflight of a listed page is answered with exactly its origin."""
    client = serve(socket_app(allow_origin=allow_list(["https://shop.example"])))
    answer = await client.request(
        "OPTIONS",
        "EIO=4&transport=polling",
        Origin="https://shop.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )

    assert answer.status_code in (200, 204)
    assert "https://shop.example" == answer.headers["Access-Control-Allow-Origin"]
