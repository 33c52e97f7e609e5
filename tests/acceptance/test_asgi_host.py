"""The service beside a host application, on one port, served by plain uvicorn."""

import asyncio
import signal
import threading
from contextlib import asynccontextmanager, suppress

import aiohttp
import httpx
import pytest
import socketio
import uvicorn
from fastapi import FastAPI, Request, WebSocket

from tests.acceptance.test_flask_hosting import program
from tocsin import Settings, StartError, build
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.errors import Overloaded
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.user_id import UserId

SECRET = "a secret of a host, of more than thirty-two bytes"


def host_application(life):
    @asynccontextmanager
    async def lifespan(_):
        life.append("host started")
        yield
        life.append("host stopped")

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def front():
        return {"host": "front"}

    @app.get("/api/things")
    async def things():
        return {"host": "things"}

    @app.get("/inbox")
    async def inbox(request: Request):
        stats = await request.state.tocsin.notifications.stats(UserId("7"))
        return stats.total

    @app.websocket("/echo")
    async def echo(socket: WebSocket):
        await socket.accept()
        await socket.send_text("echo " + await socket.receive_text())
        await socket.close()

    return app


async def bare_application(scope, _receive, send):
    """An ASGI application that knows HTTP alone."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"bare"})


@asynccontextmanager
async def serving(tmp_path, host):
    settings = Settings(_env_file=None, jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'host.db'}")
    service = build(settings)
    config = uvicorn.Config(
        service.asgi(host), port=0, ws=service.engine.websocket_protocol, log_config=None, lifespan="on"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield service, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def test_host_and_service_share_a_port(tmp_path):
    """The host keeps its paths, the API is added, and the host's lifespan runs inside the service's."""
    life = []
    async with serving(tmp_path, host_application(life)) as (service, url), aiohttp.ClientSession(url) as http:
        token = issue_token(service.settings, UserId("7"), ttl_s=60)
        seen = {}
        for path in ("/", "/api/things", "/api/notifications", "/api/fcm/device-list", "/healthz", "/readyz"):
            async with http.get(path, headers={"Authorization": f"Bearer {token}"}) as answer:
                seen[path] = (answer.status, await answer.json())
        life.append("asked")

    assert seen["/"] == (200, {"host": "front"})
    assert seen["/api/things"] == (200, {"host": "things"})
    assert seen["/api/notifications"][1]["notifications"] == []
    assert seen["/api/fcm/device-list"] == (200, {"devices": [], "topics": []})
    assert seen["/healthz"] == (200, {"status": "ok"})
    assert seen["/readyz"] == (200, {"status": "ready"})
    assert life == ["host started", "asked", "host stopped"]


async def test_a_host_keeps_its_own_admin(tmp_path):
    """Django's is at /admin: beside a host the dashboard is at a path of its own."""
    async with serving(tmp_path, host_application([])) as (service, url), aiohttp.ClientSession(url) as http:
        async with http.get("/admin") as answer:
            of_host = await answer.json()
        async with http.get("/api/admin/overview") as answer:
            of_service = (answer.status, (await answer.json())["code"])

    assert of_host == {"detail": "Not Found"}
    assert of_service == (401, "unauthenticated")
    assert service.rest.is_api("/tocsin/admin/admin.js")


async def test_websockets_of_the_host_go_on_working(tmp_path):
    """A WebSocket route of the host is served by uvicorn's own class."""
    async with (
        serving(tmp_path, host_application([])) as (_, url),
        aiohttp.ClientSession(url) as http,
        http.ws_connect("/echo") as socket,
    ):
        await socket.send_str("hello")
        answer = await socket.receive_str()

    assert answer == "echo hello"


async def test_the_host_finds_the_service_in_its_requests(tmp_path):
    """`request.state.tocsin` is the running service."""
    async with (
        serving(tmp_path, host_application([])) as (_, url),
        aiohttp.ClientSession(url) as http,
        http.get("/inbox") as answer,
    ):
        total = await answer.json()

    assert total == 0


async def test_the_host_publishes_in_python(tmp_path):
    """`await service.notifications.create(...)` in the host reaches a stock client."""
    heard = asyncio.Queue()
    client = socketio.AsyncClient(reconnection=False)
    client.on("notification", heard.put, namespace="/notifications")
    async with serving(tmp_path, host_application([])) as (service, url):
        token = issue_token(service.settings, UserId("7"), ttl_s=60)
        await client.connect(url, auth={"token": token}, namespaces=["/notifications"], transports=["websocket"])
        draft = NotificationDraft(user_id=UserId("7"), type="t", title="from Python", message="m")
        created = await service.notifications.create(draft)
        payload = await asyncio.wait_for(heard.get(), 10)
        await client.disconnect()

    assert (payload["id"], payload["title"]) == (created.id, "from Python")


@pytest.mark.parametrize("host", [bare_application, None])
async def test_a_host_without_a_lifespan_is_fine(tmp_path, host):
    """The service starts and stops also beside an application that knows no lifespan, or none."""
    async with serving(tmp_path, host) as (_, url), aiohttp.ClientSession(url) as http:
        async with http.get("/readyz") as answer:
            ready = answer.status
        async with http.get("/elsewhere") as answer:
            elsewhere = answer.status

    assert ready == 200
    assert elsewhere == (200 if host else 404)


def test_uvicorn_stops_while_somebody_follows_a_stream(tmp_path):
    """It waits for every answer; one that would never end by itself ends."""
    uvicorn_ = ["-m", "uvicorn", "--factory", "tests.acceptance.asgi_hosts:make_front", "--port", "0"]
    database_url = f"sqlite:///{tmp_path / 'host.db'}"
    with program(uvicorn_, tmp_path, TOCSIN_JWT_SECRET=SECRET, TOCSIN_DATABASE_URL=database_url) as running:
        url = running.wait_for(r"running on (http://\S+)")[1]
        token = issue_token(Settings(_env_file=None, jwt_secret=SECRET), UserId("7"), ttl_s=60)
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        with httpx.stream("GET", f"{url}/api/stream/sns", headers=headers, trust_env=False, timeout=20) as answer:
            lines = answer.iter_lines()
            assert "retry: 3000" == next(lines)
            running.process.terminate()
            assert [] == [line for line in lines if line]
        running.wait_for("Application shutdown complete")
        assert running.process.wait(20) in {0, -signal.SIGTERM}


def test_the_service_leaves_no_thread(tmp_path):
    """After the stop nothing of the service is left running."""

    async def live():
        async with serving(tmp_path, None):
            pass

    before = set(threading.enumerate())
    asyncio.run(live())

    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("host", [host_application([]), bare_application, None])
async def test_a_database_that_cannot_be_opened_stops_the_host_too(tmp_path, host):
    """The lifespan fails with the reason, so that no host serves without its notifications."""
    (tmp_path / "host.db").write_text("Dear database, " * 500)
    settings = Settings(_env_file=None, jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'host.db'}")
    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    with pytest.raises(StartError):
        await build(settings).asgi(host)({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "not a database" in sent[0]["message"]


async def live_through(app, state):
    """Return what an application's lifespan says when the server starts it."""
    said = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        said.append(message)

    with suppress(RuntimeError):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, receive, send)
    return [(message["type"], message.get("message", "")) for message in said]


async def test_a_host_that_cannot_start_stops_the_service(tmp_path):
    """No thread goes on and the database is closed."""

    @asynccontextmanager
    async def failing(_):
        raise RuntimeError("no cache")
        yield

    service = build(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'host.db'}")
    state = {}
    [(kind, reason)] = await live_through(service.asgi(FastAPI(lifespan=failing)), state)

    assert (kind, "no cache" in reason, state) == ("lifespan.startup.failed", True, {})
    assert not service.is_accepting
    with pytest.raises(Overloaded):
        await service.store.ping()


async def test_a_service_inside_another_is_refused(tmp_path):
    """Nothing of it starts, and the line says what to serve."""
    service = build(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'host.db'}")
    [(kind, reason)] = await live_through(service.asgi(), {"tocsin": "another one"})

    assert kind == "lifespan.startup.failed"
    assert "a service inside another one: serve what service.asgi(…) returned" in reason
    assert list(tmp_path.iterdir()) == []


async def test_run_takes_what_asgi_returned(tmp_path):
    """The service starts once, and the host's lifespan runs inside."""
    life = []
    service = build(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'host.db'}", port=0, drain_s=0)
    await service.serve(service.asgi(host_application(life)), on_ready=lambda _: service.stop_serving())

    assert life == ["host started", "host stopped"]
