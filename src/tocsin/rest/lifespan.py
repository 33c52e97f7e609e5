"""
The ASGI lifespan of the service with a host application's own inside it.

What starting and stopping means is handed in.
"""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Step = Callable[[], Awaitable[None]]


class Lifespan:
    """
    One run of the protocol: start the service, then the host; stop the host, then the service.

    A host that knows no lifespan raises or returns (ASGI, "Lifespan protocol");
    the service's goes on without it.
    """

    def __init__(self, start: Step, stop: Step, receive: Receive, send: Send) -> None:
        self._start = start
        self._stop = stop
        self._receive = receive
        self._send = send
        self._has_started = False
        self._has_answered = False

    async def run(self, host: ASGIApp | None, scope: Scope) -> None:
        """
        Live until the server shuts down.

        Raises:
            Exception: What the start or the host's lifespan raised; the server has been told.
        """
        if host is not None:
            try:
                await host(scope, self._receive_after_start, self._send_after_stop)
            except Exception:
                if self._has_answered:
                    raise
        if not self._has_answered:
            if not self._has_started:
                await self._receive_after_start()
            await self._send({"type": "lifespan.startup.complete"})
            await self._receive()
            await self._send_after_stop({"type": "lifespan.shutdown.complete"})

    async def _receive_after_start(self) -> Message:
        message = await self._receive()
        if message["type"] == "lifespan.startup":
            try:
                await self._start()
            except Exception as error:
                # Said by ourselves: a server takes what a lifespan raises for "knows none", and serves.
                self._has_answered = True
                await self._send({"type": "lifespan.startup.failed", "message": str(error)})
                raise
            self._has_started = True
        return message

    async def _send_after_stop(self, message: Message) -> None:
        self._has_answered = True
        if message["type"].startswith("lifespan.shutdown."):
            await self._stop()
        await self._send(message)
