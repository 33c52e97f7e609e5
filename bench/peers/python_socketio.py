"""
python-socketio's AsyncServer on uvicorn under the bench's trigger protocol.

``uvicorn --http httptools --loop uvloop``: the fastest way it is usually run.
"""

import os
from typing import Any

import socketio  # type: ignore[import-untyped]
import uvicorn

from bench.peers.token_check import user_of

NAMESPACE = "/notifications"

server = socketio.AsyncServer(async_mode="asgi")
rooms: dict[str, str] = {}
turn = 0


async def connect(sid: str, _environ: dict[str, Any], auth: dict[str, Any]) -> None:
    """Verify the token and join the user's room."""
    rooms[sid] = room = f"user:{user_of(auth['token'])}"
    await server.enter_room(sid, room, namespace=NAMESPACE)


async def disconnect(sid: str, _reason: str) -> None:
    """Forget the user."""
    del rooms[sid]


async def broadcast(_sid: str, request: dict[str, Any]) -> None:
    """Emit to everyone, ``n`` times."""
    for _ in range(request["n"]):
        await server.emit("notification", request["payload"], namespace=NAMESPACE)


async def emits(_sid: str, request: dict[str, Any]) -> None:
    """Emit to one user after another, ``n`` times."""
    global turn  # noqa: PLW0603
    everybody = list(rooms.values())
    for _ in range(request["n"]):
        room = everybody[turn % len(everybody)]
        turn += 1
        await server.emit("notification", request["payload"], room=room, namespace=NAMESPACE)


async def echo(_sid: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Answer with what was sent."""
    return payload


for event, handler in {
    "connect": connect,
    "disconnect": disconnect,
    "bench:broadcast": broadcast,
    "bench:emits": emits,
    "bench:echo": echo,
}.items():
    server.on(event, handler, namespace=NAMESPACE)

if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        http="httptools",
        loop="uvloop",
        log_level="warning",
    )
