"""
TLS before a door: what a connection is until its handshake is done.

``create_server(ssl=…)`` tells of a connection only after that, so that nobody
could count handshakes that never end. Certificates are not read here.
"""

import asyncio
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

from tocsin.engine.proxies import peer_of
from tocsin.engine.upgrade import FirstBytesDoor

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer


class TlsDoor(asyncio.Protocol):
    """
    A connection whose TLS handshake is under way; ``FirstBytesDoor`` gets what is inside.

    Counted for its address (``EngineServer.came``), and cut after ``Limits.head_deadline_s``.

    Args:
        server: Counts it.
        context: Of the certificate.
        config: uvicorn's.
        state: uvicorn's state of its server.
        app_state: Of the application's lifespan.
    """

    __slots__ = ("_context", "_inside", "_peer", "_server", "_shaking", "_state")

    def __init__(
        self, server: "EngineServer", context: ssl.SSLContext, config: Any, state: Any, app_state: dict[str, Any]
    ) -> None:
        self._server = server
        self._context = context
        self._state = state
        self._inside = _Inside(self, server, config, state, app_state)
        self._peer = ""
        self._shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin the handshake, if the address has room for it."""
        self._peer = peer_of(transport)
        if self._server.came(self._peer):
            self._begin(transport.get_extra_info("socket").fileno())
        else:
            self._server.count("refused:address")
            self.leave()
        # Ends this descriptor alone.
        transport.abort()

    def shutdown(self) -> None:
        """Cut it: nothing was asked yet; called by uvicorn when it exits."""
        if self._shaking is not None:
            # Once it has begun: a task that is cancelled before its first step runs none of it, its end neither.
            self._server.loop.call_soon(self._shaking.cancel)

    def leave(self) -> None:
        """Count it no more: its handshake is over."""
        self._state.connections.discard(self)
        self._server.went(self._peer)
        self._peer = ""

    def _begin(self, descriptor: int) -> None:
        try:
            # Another descriptor of it: a loop may read before it lets ``start_tls`` take what comes.
            connection = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            # There are no more: it ends as if it had not been accepted.
            self.leave()
            return
        self._state.connections.add(self)
        self._shaking = self._server.loop.create_task(self._shake(connection))

    async def _shake(self, connection: socket.socket) -> None:
        loop, limits = self._server.loop, self._server.limits
        try:
            await loop.connect_accepted_socket(
                lambda: self._inside, connection, ssl=self._context, ssl_handshake_timeout=limits.head_deadline_s
            )
        except OSError:
            # No TLS, none that we speak, not in time, or it has gone: the loop has closed the connection.
            pass
        finally:
            self.leave()


class _Inside(FirstBytesDoor):
    """The decrypted connection."""

    __slots__ = ("_outer",)

    def __init__(
        self, outer: TlsDoor, server: "EngineServer", config: Any, state: Any, app_state: dict[str, Any]
    ) -> None:
        super().__init__(server, config, state, app_state)
        self._outer = outer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the place of the handshake, also in the count of its address."""
        self._outer.leave()
        super().connection_made(transport)
