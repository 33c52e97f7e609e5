"""
One ASGI application out of three: the engine's transports, REST, and a host's own.

No route is defined here.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.rest.app import RestApp
from tocsin.rest.lifespan import Lifespan, Step


class Front:
    """
    Sends each request to the application whose path it is.

    Args:
        rest: REST, docs and static files.
        engine: The engine's transports: long-polling, and WebSocket where the server leaves it to ASGI.
        engine_path: Their path, with a slash at the end.
        start: Awaited at the lifespan's start, before the host's own.
        stop: Awaited at its end, after the host's own.
        host: The application that this one is added to: it gets every path that is not
            one of the API's; None: a service on its own.
    """

    def __init__(
        self,
        rest: RestApp,
        engine: ASGIApp,
        engine_path: str,
        *,
        start: Step,
        stop: Step,
        host: ASGIApp | None = None,
    ) -> None:
        self._rest = rest
        self._engine = engine
        self._engine_paths = {engine_path, engine_path.rstrip("/")}
        self._start = start
        self._stop = stop
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        kind = scope["type"]
        if kind == "lifespan":
            await Lifespan(self._start, self._stop, receive, send).run(self._host, scope)
        elif scope["path"] in self._engine_paths:
            await self._engine(scope, receive, send)
        elif self._host is not None and (kind != "http" or not self._rest.is_api(scope["path"])):
            await self._host(scope, receive, send)
        elif kind == "http":
            await self._rest(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})
