"""A host with the service mounted in one line, under uvicorn as it comes: WebSocket without any option."""

import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from websockets.asyncio.client import connect as websocket

from tests.acceptance.stock_clients import TRANSPORTS, stock_client
from tests.wire.apps import running
from tests.wire.conftest import eventually
from tocsin import Settings, build
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId

SECRET = "a secret of a host, of more than thirty-two bytes"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    return Settings(_env_file=None, jwt_secret=SECRET, database_url=f"sqlite:///{folder / 'host.db'}")


@pytest.fixture(scope="module")
def port(settings):
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(socket: WebSocket):
        await socket.accept()
        await socket.send_text("echo " + await socket.receive_text())

    app = build(settings).asgi(app)
    with running(uvicorn.Config(app, port=0, log_config=None)) as port:
        yield port


@pytest.mark.parametrize("kind", ["4.8", "4.5", "python"])
@pytest.mark.parametrize("name", TRANSPORTS)
async def test_stock_clients(port, settings, kind, name):
    """Events, acks and binary work over every transport; an upgrade ends on WebSocket."""
    token = issue_token(settings, UserId("7"), ttl_s=60)
    async with stock_client(kind) as client:
        await client.open(f"http://127.0.0.1:{port}", ["/chat", "/notifications"], TRANSPORTS[name], {"token": token})
        sent = await client.ask("/chat", "send_message", {"to_user_id": 7, "message": "안녕 🔔"})
        (message,) = await client.next("/chat", "message_received")
        refused = await client.ask_binary("/chat", "send_message")

        async def is_there() -> bool:
            return TRANSPORTS[name][-1] == await client.transport()

        await eventually(is_there)

    assert (True, message["id"]) == (sent["ok"], sent["id"])
    assert "안녕 🔔" == message["message"]
    assert "binary_not_accepted" == refused["code"]


async def test_websockets_of_the_host_are_its_own(port):
    """Another path is the host's, on the same port."""
    async with websocket(f"ws://127.0.0.1:{port}/echo") as socket:
        await socket.send("hello")

        assert "echo hello" == await socket.recv()
