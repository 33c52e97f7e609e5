"""
One ASGI application out of three: the engine's polling, REST, and a host's own.

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
        polling: The engine's long-polling transport.
        polling_path: Its path, with a slash at the end.
        start: Awaited at the lifespan's start, before the host's own.
        stop: Awaited at its end, after the host's own.
        host: The application that this one is added to: it gets every path that is not
            one of the API's; None: a service on its own.
    """

    def __init__(
        self,
        rest: RestApp,
        polling: ASGIApp,
        polling_path: str,
        *,
        start: Step,
        stop: Step,
        host: ASGIApp | None = None,
    ) -> None:
        self._rest = rest
        self._polling = polling
        self._polling_paths = {polling_path, polling_path.rstrip("/")}
        self._start = start
        self._stop = stop
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        kind = scope["type"]
        if kind == "lifespan":
            await Lifespan(self._start, self._stop, receive, send).run(self._host, scope)
        elif kind == "http" and scope["path"] in self._polling_paths:
            await self._polling(scope, receive, send)
        elif self._host is not None and (kind != "http" or not self._rest.is_api(scope["path"])):
            await self._host(scope, receive, send)
        elif kind == "http":
            await self._rest(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})
