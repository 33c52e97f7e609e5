"""
The two little apps of the official conformance suites.

``python -m tests.wire.apps engine.io|socket.io [--port 3000] [--ping-interval 0.3]
[--ping-timeout 0.2] [--connect-timeout 1] [--loop asyncio] [--door ws]`` serves one of them until it is stopped.
"""

import argparse
import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tocsin.engine import ConnectRefused, EventRefused, Socket, SocketServer
from tocsin.engine.engine_server import EngineServer
from tocsin.engine.packets import EncodedPacket, encode_message
from tocsin.engine.session import Session


class EchoSession(Session):
    """Send every message back as it came."""

    __slots__ = ()

    def message_received(self, text: str) -> None:
        self.send(EncodedPacket(text.encode()))

    def binary_received(self, data: bytes) -> None:
        self.send(encode_message(data))


def engine_app(**options: Any) -> EngineServer:
    """Return the Engine.IO app: an echo on ``/engine.io/``."""
    return EngineServer(EchoSession, **{"path": "/engine.io/", **options})


def socket_app(  # noqa: C901 — every handler of the app in one place
    calls: list[tuple[Any, ...]] | None = None,
    **options: Any,
) -> SocketServer:
    """
    Return the Socket.IO app: ``/`` and ``/custom``, and ``/plain``, which takes no binary.

    Args:
        calls: Every call of a handler is appended here.
        options: Of ``SocketServer``.
    """
    server = SocketServer(**{"path": "/socket.io/", **options})
    record = (calls if calls is not None else []).append

    for namespace in ("/", "/custom"):

        @server.on_connect(namespace)
        def connect(socket: Socket, auth: dict[str, Any]) -> None:
            record(("connect", socket.namespace))
            if "refuse" in auth:
                raise ConnectRefused(auth["refuse"], data=auth.get("data"))
            socket.data = auth

        @server.on_ready(namespace)
        def ready(socket: Socket) -> None:
            socket.emit("auth", socket.data)

        @server.on("message", namespace=namespace, binary=True)
        def message(socket: Socket, *args: Any) -> None:
            record(("message", *args))
            socket.emit("message-back", *args)

        @server.on("message-with-ack", namespace=namespace, binary=True)
        def message_with_ack(socket: Socket, *args: Any) -> tuple[Any, ...]:
            record(("message-with-ack", *args))
            return args

        @server.on_disconnect(namespace)
        def disconnect(socket: Socket, reason: str) -> None:
            record(("disconnect", socket.namespace, reason))

    @server.on("plain")
    def plain(socket: Socket, *args: Any) -> str:
        record(("plain", *args))
        return "plain"

    @server.on("refused")
    def refused(socket: Socket) -> None:
        raise EventRefused({"code": "forbidden", "detail": "no"})

    @server.on("broken")
    def broken(socket: Socket) -> None:
        raise RuntimeError("a secret of the server")

    @server.on("slow")
    async def slow(socket: Socket, number: int) -> int:
        record(("slow", number))
        await asyncio.sleep(0.01)
        return number

    @server.on("ask-me")
    async def ask_me(socket: Socket, timeout_s: float) -> Any:
        try:
            return await socket.call("question", b"?", timeout_s=timeout_s)
        except TimeoutError:
            return "no answer"

    @server.on("flood")
    def flood(socket: Socket, packets: int, size: int) -> None:
        payload = "x" * size
        for _ in range(packets):
            socket.emit("flooded", payload)

    return server


class _Uvicorn(uvicorn.Server):
    """uvicorn in a thread, which leaves the signals to the main thread."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def doors(server: EngineServer, door: str) -> dict[str, Any]:
    """
    Return uvicorn's options for one way in.

    Args:
        server: What is served.
        door: ``both`` of the server's own, ``ws`` without its HTTP, or one of uvicorn's
            WebSocket implementations, behind which the server is an ASGI application.
    """
    if door == "both":
        return {"http": server.http_protocol, "ws": server.websocket_protocol}
    return {"http": "auto", "ws": server.websocket_protocol if door == "ws" else door}


@contextmanager
def serving(server: EngineServer, loop: str = "uvloop", *, app: Any = None, door: str = "both") -> Iterator[int]:
    """
    Serve on a free port, on a loop of its own in a thread; yield the port.

    Args:
        server: What to serve.
        loop: ``uvloop`` or ``asyncio``.
        app: An ASGI application behind it.
        door: See ``doors``.
    """
    config = uvicorn.Config(
        server.asgi(app),
        port=0,
        **doors(server, door),
        loop=loop,
        log_config=None,  # so that pytest sees what is logged
    )
    with running(config) as port:
        yield port


@contextmanager
def running(config: uvicorn.Config) -> Iterator[int]:
    """Run uvicorn in a thread; yield the port."""
    sock = config.bind_socket()
    running = _Uvicorn(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not running.started:
        assert thread.is_alive(), "uvicorn has not started"
        assert time.monotonic() < deadline, "uvicorn does not start"
        time.sleep(0.005)
    try:
        yield sock.getsockname()[1]
    finally:
        running.should_exit = True
        thread.join(10)
        sock.close()
        assert not thread.is_alive(), "uvicorn does not stop"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("app", choices=["engine.io", "socket.io"])
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--ping-interval", type=float, default=0.3)
    parser.add_argument("--ping-timeout", type=float, default=0.2)
    parser.add_argument("--connect-timeout", type=float, default=1.0)
    parser.add_argument("--loop", default="uvloop", help="uvloop or asyncio")
    parser.add_argument("--door", default="both", help="both, ws, websockets-sansio, websockets or wsproto")
    args = parser.parse_args()
    timers = {"ping_interval": args.ping_interval, "ping_timeout": args.ping_timeout}
    if args.app == "engine.io":
        server = engine_app(**timers)
    else:
        server = socket_app(connect_timeout=args.connect_timeout, **timers)
    # "localhost" is ::1 for some Node versions, 127.0.0.1 for others.
    uvicorn.run(
        server.asgi(),
        host="localhost",
        port=args.port,
        **doors(server, args.door),
        loop=args.loop,
        log_level="error",
    )


if __name__ == "__main__":
    main()
