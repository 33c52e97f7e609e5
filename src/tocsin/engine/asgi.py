"""The engine as an ASGI application of its own, or in front of another one."""

from typing import TYPE_CHECKING, Any

from tocsin.engine.polling import Receive, Send
from tocsin.engine.request import Scope

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer


class EngineApp:
    """
    Serves long-polling and WebSocket on the engine's path and passes everything else on.

    Args:
        server: The engine; sessions are closed when the lifespan ends.
        app: Gets all other requests; None answers them 404.
    """

    def __init__(self, server: "EngineServer", app: Any = None) -> None:
        self._server = server
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        kind = scope["type"]
        if kind != "lifespan" and self._server.owns(scope["path"].encode()):
            transport = self._server.websocket if kind == "websocket" else self._server.polling
            await transport(scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "http":
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._server.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "lifespan.startup.complete"})
