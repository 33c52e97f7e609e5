"""ASGI applications of several kinds that `tocsin serve` is told: FastAPI, Starlette, one as Django's."""

from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import tocsin
from tocsin.websocket_server import broadcast_notification


@asynccontextmanager
async def lifespan(_):
    print("host started", flush=True)  # noqa: T201 the test reads it
    yield {"greeting": "from the lifespan"}
    print("host stopped", flush=True)  # noqa: T201 the test reads it


fastapi_app = FastAPI(lifespan=lifespan)


@fastapi_app.post("/notify/{user_id}")
def notify(user_id: int):
    """A `def` endpoint, which runs in a thread."""
    return broadcast_notification(user_id, {"title": "from a thread"}).wait(10)[0]["data"]["id"]


@fastapi_app.post("/notify-async/{user_id}")
async def notify_async(user_id: int):
    broadcast_notification(user_id, {"title": "from the loop"})


@fastapi_app.get("/greeting")
def greeting(request: Request):
    return request.state.greeting


@fastapi_app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    await socket.send_text("echo " + await socket.receive_text())
    await socket.close()


def make_starlette():
    """A factory."""
    return Starlette(routes=[Route("/", lambda _: PlainTextResponse("starlette"))])


async def django_like(scope, _receive, send):
    """As Django's ASGIHandler: raises on anything but HTTP."""
    if scope["type"] != "http":
        raise ValueError(f"Django can only handle ASGI/HTTP connections, not {scope['type']}.")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


@fastapi_app.get("/service")
async def service_of_request(request: Request):
    """How the service that serves this one is found."""
    service = request.state.tocsin
    return {"port": service.settings.port, "lang": service.settings.lang, "stats": await service.store.heads([])}


def make_front():
    """An application that brings its service with it."""
    return tocsin.build(lang="ko", host="127.0.0.2", port=1).asgi(fastapi_app)


def make_wrapped():
    """One whose service nobody can see."""
    front = make_front()

    async def wrapped(scope, receive, send):
        await front(scope, receive, send)

    return wrapped


@asynccontextmanager
async def failing(_):
    raise RuntimeError("the host's database is down")
    yield


failing_app = FastAPI(lifespan=failing)


def wsgi_app(environ, start_response):
    """WSGI without a framework."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi ", environ["PATH_INFO"].encode("latin-1")]
