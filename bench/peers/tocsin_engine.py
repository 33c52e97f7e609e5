"""
Tocsin's engine alone under the bench's trigger protocol: no store, no streams, no REST.

Written like the other peers' apps, so that the row shows the Socket.IO server
and the whole product has a row of its own.
"""

import gc
import os
from typing import Any

import uvicorn

from bench.peers.token_check import user_of
from tocsin.engine import Socket, SocketServer

NAMESPACE = "/notifications"

server = SocketServer()
rooms: dict[Socket, str] = {}
turn = 0


@server.on_connect(NAMESPACE)
def connect(socket: Socket, auth: dict[str, Any]) -> None:
    """Verify the token and join the user's room."""
    rooms[socket] = room = f"user:{user_of(auth['token'])}"
    socket.join(room)


@server.on_disconnect(NAMESPACE)
def disconnect(socket: Socket, _reason: str) -> None:
    """Forget the user."""
    del rooms[socket]


@server.on("bench:broadcast", namespace=NAMESPACE)
def broadcast(_socket: Socket, request: dict[str, Any]) -> None:
    """Emit to everyone, ``n`` times."""
    for _ in range(request["n"]):
        server.broadcast("notification", request["payload"], namespace=NAMESPACE)


@server.on("bench:emits", namespace=NAMESPACE)
def emits(_socket: Socket, request: dict[str, Any]) -> None:
    """Emit to one user after another, ``n`` times."""
    global turn  # noqa: PLW0603
    everybody = list(rooms.values())
    for _ in range(request["n"]):
        server.emit("notification", request["payload"], namespace=NAMESPACE, room=everybody[turn % len(everybody)])
        turn += 1


@server.on("bench:echo", namespace=NAMESPACE)
def echo(_socket: Socket, payload: dict[str, Any]) -> dict[str, Any]:
    """Answer with what was sent."""
    return payload


if __name__ == "__main__":
    # As ``tocsin serve`` does: what lives from start to end need not be searched for cycles again and again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    uvicorn.run(
        server.asgi(),
        ws=server.websocket_protocol,  # type: ignore[arg-type]  # uvicorn calls it; a class is not needed
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        http=server.http_protocol,  # type: ignore[arg-type]
        loop="uvloop",
        log_level="warning",
    )
