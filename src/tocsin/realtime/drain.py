"""Sends clients away before the server stops (delivery contract, 12)."""

import asyncio

from tocsin.domain.jitter import jitter
from tocsin.engine import SocketServer

DRAIN_S = 10.0
ANSWERS_S = 3.0


async def drain(server: SocketServer, window_s: float = DRAIN_S) -> None:
    """
    Tell every client when to come back, then close the transports over the window.

    Transports, not namespaces: after a Socket.IO DISCONNECT a JS client stays
    away. New handshakes are refused from the start; what a client has asked for
    is answered before its transport closes.
    """
    server.refuse_new = True
    for connection in list(server.connections):
        payload = {"retry_in": round(jitter(0.0, window_s), 1)}
        for socket in list(connection.sockets.values()):
            socket.emit("server_draining", payload)
    await asyncio.sleep(0)
    await server.close(spread_s=window_s, grace_s=ANSWERS_S)
