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
        async def start_first() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
            return message

        async def stop_last(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._stop()
            await send(message)

        await (self._host or _acknowledge)(scope, start_first, stop_last)


async def _acknowledge(_: Scope, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
