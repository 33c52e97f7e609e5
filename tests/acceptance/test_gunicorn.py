"""A Flask application under gunicorn's sync workers, ``tocsin serve`` beside it, and Valkey between them."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.stock_clients import stock_client
from tests.acceptance.wire_socket import eventually
from tests.conftest import SECRET
from tests.processes import environment, running, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.settings import Settings

pytestmark = pytest.mark.slow

NS = "/notifications"
BROWSER = Path(__file__).parents[1] / "browser"
# The contract gives the sweep 6 s; the rest is for a busy machine.
SWEEP_S = 6 + 9
# Ten that wait for one another take a sweep more than 37 s, and Redis less than one.
TEN_BY_REDIS_S = 30

APPLICATION = '''
import os
from flask import Flask, request
from tocsin.services.notifications import create_notification
from tocsin.websocket_server import broadcast_notification, init_websocket

app = Flask(__name__)
init_websocket(app)

@app.post("/broadcast/<int:user_id>")
def broadcast(user_id):
    broadcast_notification(user_id, {"title": request.json["title"]})
    return {"pid": os.getpid()}

@app.post("/create/<int:user_id>")
def create(user_id):
    return create_notification(user_id, "order", request.json["title"], "On its way.")

@app.get("/page")
def page():
    return f"""<!doctype html><title>Orders</title><ul id="shown"></ul>
<script src="{os.environ['PAGE_SERVER']}/js/websocket.js"></script>
<script>
const show = (text) => {{
  const item = document.createElement("li");
  item.textContent = text;
  document.querySelector("#shown").append(item);
}};
const client = new WebSocketClient({{ url: "{os.environ['PAGE_SERVER']}", token: "{os.environ['PAGE_TOKEN']}" }});
client.on("notifications", "notification", (notification) => show(notification.title));
client.on("*", "state", ({{ state }}) => {{ if (state === "connected") show("connected"); }});
client.connect();
</script>"""
'''


class Deployment:
    """
    Everything in processes of their own, on one database.

    Attributes:
        url: Of ``tocsin serve``.
        site: A client of the application.
        gunicorn: Its arbiter's process.
    """

    def __init__(self, url, site, gunicorn):
        self.url = url
        self.site = site
        self.gunicorn = gunicorn

    async def post(self, path, title):
        answer = await self.site.post(path, json={"title": title})
        assert 200 == answer.status_code, self.gunicorn.errors.read_text()
        return answer.json()


def token():
    return issue_token(Settings(_env_file=None, jwt_secret=SECRET), "7", ttl_s=600)


@asynccontextmanager
async def deployed(folder, redis_url, *options):
    """Start the server and gunicorn with two sync workers."""
    (folder / "application.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    env = environment(
        folder / "tocsin.db",
        TOCSIN_REDIS_URL=redis_url,
        TOCSIN_BUS_KEY="a key for tests, of more than thirty-two bytes",
        TOCSIN_CORS_ORIGINS=f"http://{address}",
    )
    async with serving(folder, env) as (url, _):
        command = (sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", address, *options, "application:app")
        own = env | {"PAGE_SERVER": url, "PAGE_TOKEN": token()}
        async with (
            running(folder, *command, env=own) as gunicorn,
            httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=30) as site,
        ):
            await eventually(lambda: gunicorn.errors.read_text().count("Booting worker") == 2)
            yield Deployment(url, site, gunicorn)


@asynccontextmanager
async def listener(deployment):
    """Connect a stock client that keeps no cursor."""
    async with stock_client("python") as client:
        await client.open(deployment.url, [NS], ["websocket"], {"token": token()})
        await client.next(NS, "synced")
        yield client


async def title(client):
    (payload,) = await client.next(NS, "notification")
    return payload["title"]


async def test_a_worker_reaches_a_client_through_redis(tmp_path, own_valkey):
    """Each notification is there before the next is made; without Redis each would wait for a sweep."""
    async with deployed(tmp_path, own_valkey.url) as deployment, listener(deployment) as client:
        # The first that a worker publishes connects it.
        for _ in range(4):
            await deployment.post("/broadcast/7", "first")
            await title(client)
        async with asyncio.timeout(TEN_BY_REDIS_S):
            for number in range(5):
                await deployment.post("/broadcast/7", f"broadcast {number}")
                assert f"broadcast {number}" == await title(client)
                created = await deployment.post("/create/7", f"created {number}")
                assert f"created {number}" == created["title"] == await title(client)


async def test_with_valkey_stopped_it_still_arrives(tmp_path, own_valkey):
    """The sweep of heads brings it; what came after the stop is there once, and so is what comes after the start."""
    async with deployed(tmp_path, own_valkey.url) as deployment, listener(deployment) as client:
        await deployment.post("/broadcast/7", "with")
        assert "with" == await title(client)
        own_valkey.kill()
        await deployment.post("/broadcast/7", "without")
        async with asyncio.timeout(SWEEP_S):
            assert "without" == await title(client)
        own_valkey.start()
        await deployment.post("/broadcast/7", "again")
        async with asyncio.timeout(SWEEP_S):
            assert "again" == await title(client)
        assert client.events.empty()


async def test_a_worker_killed_after_its_answer_has_lost_nothing(tmp_path, own_valkey):
    """The row and its event were committed before the view returned."""
    # Workers that are forks of one import come up sooner, and share nothing else.
    async with deployed(tmp_path, own_valkey.url, "--preload") as deployment, listener(deployment) as client:
        for number in range(2):
            answer = await deployment.post("/broadcast/7", f"last words {number}")
            os.kill(answer["pid"], signal.SIGKILL)
            async with asyncio.timeout(SWEEP_S):
                assert f"last words {number}" == await title(client)
        # gunicorn has other workers by then.
        await deployment.post("/broadcast/7", "its successor")
        assert "its successor" == await title(client)
        assert client.events.empty()


async def test_a_worker_reaches_a_page_in_chromium(tmp_path, own_valkey):
    """The application's page on its own origin shows it, with Valkey and without."""
    async with deployed(tmp_path, own_valkey.url) as deployment:
        page = f"{deployment.site.base_url}/page"
        async with running(tmp_path, "node", str(BROWSER / "visitor.mjs"), str(page), env=dict(os.environ)) as visitor:
            assert "connected" == await visitor.line()
            for name in ("with", "still with"):
                await deployment.post("/broadcast/7", name)
                assert name == await visitor.line()
            own_valkey.kill()
            await deployment.post("/create/7", "without")
            async with asyncio.timeout(SWEEP_S):
                assert "without" == await visitor.line()
