"""Sends clients away before the server stops (delivery contract, 12)."""

import asyncio

from tocsin.domain.jitter import jitter
from tocsin.engine import Socket, SocketServer

DRAIN_S = 10.0
ANSWERS_S = 3.0


class Drain:
    """
    The end of a server for its clients.

    Args:
        server: Whose clients are sent away.
    """

    def __init__(self, server: SocketServer) -> None:
        self._server = server
        self._window_s: float | None = None

    def greet(self, socket: Socket) -> None:
        """Tell a client that joins while the others are sent away what they were told."""
        if self._window_s is not None:
            socket.emit("server_draining", self._when())

    def _when(self) -> dict[str, float]:
        return {"retry_in": round(jitter(0.0, self._window_s or 0.0), 1)}

    async def run(self, window_s: float = DRAIN_S) -> None:
        """
        Tell every client when to come back, then close the transports over the window.

        Transports, not namespaces: after a Socket.IO DISCONNECT a JS client stays
        away. New handshakes are refused from the start; what a client has asked for
        is answered before its transport closes.
        """
        self._window_s = window_s
        self._server.refuse_new = True
        for connection in list(self._server.connections):
            payload = self._when()
            for socket in list(connection.sockets.values()):
                socket.emit("server_draining", payload)
        await asyncio.sleep(0)
        await self._server.close(spread_s=window_s, grace_s=ANSWERS_S)
