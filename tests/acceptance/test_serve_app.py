"""`tocsin serve module:app`: applications of every kind beside the service, in real processes."""

import asyncio
import re
import signal
import socket
import sqlite3
import time
from contextlib import closing, contextmanager

import aiohttp
import httpx
import pytest
import socketio

from tests.acceptance.test_flask_hosting import program
from tests.acceptance.wire_socket import DEADLINE_S
from tests.conftest import SECRET
from tocsin import Settings
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId

pytestmark = pytest.mark.slow

TOCSIN = ["-c", "from tocsin.cli import main; main()", "serve", "--port", "0"]


@contextmanager
def serving(folder, app):
    with program([*TOCSIN, app], folder, TOCSIN_JWT_SECRET=SECRET, TOCSIN_DRAIN_S="0") as running:
        running.url = running.wait_for(r"Tocsin \S+ with \S+ on (http://\S+)")[1]
        yield running


def test_a_fastapi_host(tmp_path):
    """Endpoints in threads and on the loop publish, its lifespan, its WebSocket and its `/docs` go on working."""

    async def live(url):
        heard = asyncio.Queue()
        client = socketio.AsyncClient(reconnection=False)
        client.on("notification", heard.put, namespace="/notifications")
        settings = Settings(_env_file=None, jwt_secret=SECRET, jwt_public_key=None)
        token = issue_token(settings, UserId("7"), ttl_s=60)
        await client.connect(url, auth={"token": token}, namespaces=["/notifications"], transports=["websocket"])
        async with aiohttp.ClientSession(url) as http, asyncio.timeout(DEADLINE_S):
            async with http.post("/notify/7") as answer:
                created = await answer.json()
            await http.post("/notify-async/7")
            told = [await heard.get(), await heard.get()]
            async with http.get("/greeting") as answer:
                greeting = await answer.json()
            async with http.get("/docs") as answer:
                docs = await answer.text()
            async with http.ws_connect("/echo") as socket:
                await socket.send_str("hello")
                echo = await socket.receive_str()
        await client.disconnect()
        return created, told, greeting, docs, echo

    with serving(tmp_path, "tests.acceptance.asgi_hosts:fastapi_app") as running:
        created, told, greeting, docs, echo = asyncio.run(live(running.url))
        assert running.stop() == 0

    assert [one["title"] for one in told] == ["from a thread", "from the loop"]
    assert told[0]["id"] == created
    assert (greeting, echo, "FastAPI" in docs) == ("from the lifespan", "echo hello", True)
    assert [line for line in running.output if line.startswith("host ")] == ["host started\n", "host stopped\n"]


def test_an_application_with_a_service_of_its_own(tmp_path):
    """That service is served once, with its settings but for the options, and the host's lifespan inside."""
    with serving(tmp_path, "tests.acceptance.asgi_hosts:make_front()") as running:
        with httpx.Client(base_url=running.url, trust_env=False) as http:
            found = http.get("/service").json()
            assert http.get("/readyz").json() == {"status": "ready"}
            assert http.get("/greeting").json() == "from the lifespan"
        assert running.stop() == 0

    assert running.url.startswith("http://127.0.0.2:")
    assert found == {"port": 0, "lang": "ko", "stats": []}
    assert [line for line in running.output if line.startswith("host ")] == ["host started\n", "host stopped\n"]


def test_a_host_finds_the_service_that_serves_it(tmp_path):
    """`request.state.tocsin`, also where the application names none."""
    with serving(tmp_path, "tests.acceptance.asgi_hosts:fastapi_app") as running:
        assert httpx.get(f"{running.url}/service", trust_env=False).json() == {"port": 0, "lang": "en", "stats": []}
        assert running.stop() == 0


@pytest.mark.parametrize(
    ("app", "text"),
    [("make_starlette()", "starlette"), ("django_like", "/"), ("wsgi_app", "wsgi /")],
)
def test_other_hosts(tmp_path, app, text):
    """A factory, one that raises on a lifespan, and plain WSGI are served beside the API."""
    with serving(tmp_path, f"tests.acceptance.asgi_hosts:{app}") as running:
        with httpx.Client(base_url=running.url, trust_env=False) as http:
            assert http.get("/").text == text
            assert http.get("/readyz").json() == {"status": "ready"}
        assert running.stop() == 0


def test_a_flask_host_that_has_called_init_websocket(tmp_path):
    """Its own settings and handlers count."""
    with program([*TOCSIN, "tests.acceptance.flask_host:app"], tmp_path, TOCSIN_DRAIN_S="0") as running:
        url = running.wait_for(r"with tests.acceptance.flask_host on (http://\S+)")[1]
        assert httpx.get(f"{url}/publish/3", trust_env=False).json()["events"][0]["event"] == "publish_success"
        assert running.stop() == 0


@pytest.mark.parametrize("app", [[], ["tests.acceptance.flask_host:app"], ["tests.acceptance.asgi_hosts:make_front()"]])
def test_systemd_is_told_that_it_is_ready(tmp_path, app):
    """A service of `Type=notify` that never says so is killed after two minutes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        with program([*TOCSIN, *app], tmp_path, TOCSIN_JWT_SECRET=SECRET, TOCSIN_DRAIN_S="0", **told):
            assert [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"] == [manager.recv(100) for _ in range(3)]


def test_systemd_waits_for_a_migration(tmp_path):
    """Here for another process that is at it: the unit's time is extended until it is over."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        closing(sqlite3.connect(tmp_path / "tocsin.db", isolation_level=None)) as another,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        another.execute("PRAGMA journal_mode = WAL")
        another.execute("BEGIN IMMEDIATE")
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path}/tocsin.db"}
        with program(TOCSIN, tmp_path, TOCSIN_JWT_SECRET=SECRET, TOCSIN_DRAIN_S="0", **told):
            assert b"EXTEND_TIMEOUT_USEC=60000000" == manager.recv(100)
            another.execute("ROLLBACK")
            while (said := manager.recv(100)) == b"EXTEND_TIMEOUT_USEC=60000000":
                pass
            assert b"READY=1" == said


HASTY = (
    "import tocsin.rest.serve as serve\nserve.BEAT_S, serve.SILENT_BEATS = 0.5, 6\nfrom tocsin.cli import main\nmain()"
)


def test_a_server_that_hangs_ends_and_says_where(tmp_path):
    """Under Docker nobody else would end it; what starts it again has a status to go by."""
    (tmp_path / "host.py").write_text(
        "import threading\n\n\nasync def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n        threading.Event().wait()\n"
    )
    with program(["-c", HASTY, "serve", "host:app", "--port", "0"], tmp_path, TOCSIN_JWT_SECRET=SECRET) as running:
        url = running.wait_for(r"on (http://\S+)")[1]
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url, trust_env=False, timeout=60)

        assert running.process.wait(30) == 1
        running.drain()

    assert any(re.search(r'File ".*host.py", line 6 in app', line) for line in running.output)


def test_a_server_that_was_paused_goes_on(tmp_path):
    """A frozen container or a stopped process has not hung: its loop turns as soon as it may."""
    with program(["-c", HASTY, "serve", "--port", "0"], tmp_path, TOCSIN_JWT_SECRET=SECRET) as running:
        url = running.wait_for(r"on (http://\S+)")[1]
        running.process.send_signal(signal.SIGSTOP)
        time.sleep(4)  # more than all the beats that a hang may take
        running.process.send_signal(signal.SIGCONT)
        time.sleep(1)

        assert httpx.get(f"{url}/healthz", trust_env=False, timeout=10).status_code == 200


def test_a_setting_of_a_flask_host_that_can_not_work_is_status_2(tmp_path):
    """As without one: a supervisor need not try again."""
    with program([*TOCSIN, "tests.acceptance.flask_host:app"], tmp_path, SOCKETIO_ASYNC_MODE="asgi") as running:
        assert running.process.wait(30) == 2
        running.drain()

    assert running.output[-1].startswith("tocsin: SOCKETIO_ASYNC_MODE=asgi is for ASGI applications")


@pytest.mark.parametrize(
    ("app", "line"),
    [
        ("tests.acceptance.asgi_hosts:failing_app", "the application did not start: RuntimeError: the host's database"),
        ("no_such_module:app", "no_such_module can't be imported"),
        ("tests.acceptance.asgi_hosts:make_wrapped()", "the application did not start: it holds a service inside"),
    ],
)
def test_what_cannot_start_is_one_line(tmp_path, app, line):
    """The last line says what failed, and the exit code is 1."""
    with program([*TOCSIN, app], tmp_path, TOCSIN_JWT_SECRET=SECRET) as running:
        assert running.process.wait(30) == 1
        running.drain()

    assert running.output[-1].startswith(f"tocsin: {line}")
