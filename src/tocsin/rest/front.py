"""
One ASGI application out of three: the engine's polling, REST, and a host's own.

No route is defined here.
"""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.rest.app import RestApp


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
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
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
            await self._live(scope, receive, send)
        elif kind == "http" and scope["path"] in self._polling_paths:
            await self._polling(scope, receive, send)
        elif self._host is not None and (kind != "http" or not self._rest.is_api(scope["path"])):
            await self._host(scope, receive, send)
        elif kind == "http":
            await self._rest(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        was_asked = has_started = has_answered = False

        async def start_first() -> Message:
            nonlocal was_asked, has_started
            message = await receive()
            was_asked = True
            if message["type"] == "lifespan.startup":
                await self._start()
                has_started = True
            return message

        async def stop_last(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            if message["type"].startswith("lifespan.shutdown."):
                await self._stop()
            await send(message)

        try:
            if self._host is not None:
                await self._host(scope, start_first, stop_last)
        except Exception:
            # An application that knows no lifespan raises (ASGI, "Lifespan protocol"); ours goes on.
            if has_answered or was_asked != has_started:
                raise
        if not has_answered:
            if not has_started:
                await start_first()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await stop_last({"type": "lifespan.shutdown.complete"})
