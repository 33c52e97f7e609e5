"""The server of the stage: tight bounds, and a handler of each kind."""

import asyncio
from typing import Any

from tocsin.engine.limits import Limits
from tocsin.engine.namespace import ConnectRefused, EventRefused
from tocsin.engine.server import SocketServer

LIMITS = Limits(
    max_payload=4_096,
    max_packets_per_post=4,
    max_namespaces=2,
    max_fragments=8,
    frames_per_s=20.0,
    frames_burst=60,
    events_per_s=10.0,
    events_burst=30,
    max_refused_events=10,
    queue_packets=8,
    queue_bytes=4_096,
    pending_acks=4,
    handlers_in_flight=4,
    in_flight_bytes=8_192,
    connections_per_address=1_000,
)


def make_server() -> SocketServer:
    """Return the server; ``/`` answers at once, ``/chat`` takes its time, ``/third`` has no events."""
    server = SocketServer(limits=LIMITS)

    @server.on_connect()
    def connect(socket: Any, auth: dict[str, Any]) -> None:
        if "no" in auth:
            raise ConnectRefused("no", auth)
        socket.join("all")

    @server.on_connect("/chat")
    async def connect_slowly(socket: Any, auth: dict[str, Any]) -> None:
        socket.join("all")
        socket.emit("early")
        await asyncio.sleep(1.0)
        if "no" in auth:
            raise ConnectRefused("no")

    server.on("echo")(_echo)
    for namespace in ("/", "/chat"):
        server.on("bin", namespace, binary=True)(_binary)
        server.on("slow", namespace)(_slow)
        server.on("much", namespace)(_say_much)
    server.on("no", "/chat")(_refuse)
    server.add_namespace("/third")
    return server


def _echo(_: Any, *args: Any) -> tuple[Any, ...]:
    return args


def _binary(_: Any, value: Any) -> Any:
    return value


async def _slow(_: Any, value: Any = None) -> Any:
    await asyncio.sleep(2.0)
    return value


async def _say_much(socket: Any) -> None:
    # Whoever waits after each part never fills the queue of a client that reads.
    for number in range(20):
        socket.emit("part", number, "z" * 1_000)
        await socket.connection.drained()


def _refuse(_: Any) -> None:
    raise EventRefused({"code": "no"})
