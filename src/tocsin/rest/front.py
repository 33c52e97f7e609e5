"""
One ASGI application out of three: the engine's transports, REST, and a host's own.

No route is defined here.
"""

from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.rest.app import RestApp
from tocsin.rest.lifespan import Lifespan, Step

if TYPE_CHECKING:
    from tocsin.bootstrap import Service

# Where a host's requests find the service: ``request.state.tocsin`` in Starlette (ASGI, "Lifespan State").
STATE_KEY = "tocsin"
_NESTED = (
    "it holds a service inside another one: serve what service.asgi(…) returned by itself, or the application in it"
)


class Front:
    """
    Sends each request to the application whose path it is.

    Its lifespan fails inside another one's: two services in one process would each
    hear of half the events at once.

    Args:
        rest: REST, docs and static files.
        engine: The engine's transports: long-polling, and WebSocket where the server leaves it to ASGI.
        engine_path: Their path, with a slash at the end.
        service: Whose all this is; the host's requests find it in ``scope["state"]["tocsin"]``.
        start: Awaited at the lifespan's start, before the host's own.
        stop: Awaited at its end, after the host's own.
        host: The application that this one is added to: it gets every path that is not
            one of the API's; None: a service on its own.

    Attributes:
        service: See there.
        host: See there.
    """

    def __init__(
        self,
        rest: RestApp,
        engine: ASGIApp,
        engine_path: str,
        *,
        service: "Service",
        start: Step,
        stop: Step,
        host: ASGIApp | None = None,
    ) -> None:
        self._rest = rest
        self._engine = engine
        self._engine_paths = {engine_path, engine_path.rstrip("/")}
        self.service = service
        self._start = start
        self._stop = stop
        self.host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(scope, receive, send)
        elif scope["path"] in self._engine_paths:
            await self._engine(scope, receive, send)
        elif self.host is not None and (kind != "http" or not self._rest.is_api(scope["path"])):
            # Also where the server knows no lifespan state; a key of the host's own stays.
            scope.setdefault("state", {}).setdefault(STATE_KEY, self.service)
            await self.host(scope, receive, send)
        elif kind == "http":
            await self._rest(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.get("state", {})
        if STATE_KEY in state:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": _NESTED})
            return
        state[STATE_KEY] = self.service
        try:
            await Lifespan(self._start, self._stop, receive, send).run(self.host, scope)
        finally:
            state.pop(STATE_KEY, None)
