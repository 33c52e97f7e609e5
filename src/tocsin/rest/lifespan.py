"""
The ASGI lifespan: of the service with a host application's own inside it, and of a host alone.

What starting and stopping means is handed in.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

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
        if self._has_started and message["type"] != "lifespan.startup.complete":
            await self._stop()
        await self._send(message)


class HostNotStarted(Exception):
    """The host application's lifespan said that it can't start; the message is its reason, in one line."""


@asynccontextmanager
async def hosting(host: ASGIApp | None, state: dict[str, Any]) -> AsyncGenerator[None, None]:
    """
    Run a host application's lifespan around the body.

    A host that knows no lifespan raises or returns, and is served without one.
    What its shutdown fails with is logged.

    Args:
        host: The application; None: there is none.
        state: What its requests find in their scope; the lifespan adds to it.

    Raises:
        HostNotStarted: It can't start.
    """
    if host is None:
        yield
        return
    questions: asyncio.Queue[Message] = asyncio.Queue()
    answers: asyncio.Queue[Message | None] = asyncio.Queue()

    async def live() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
        try:
            await host(scope, questions.get, answers.put)
        except Exception as error:  # noqa: BLE001 told by the answer, or there is no lifespan
            _log.debug("the application's lifespan ended: %r", error)
        finally:
            answers.put_nowait(None)

    task = asyncio.create_task(live(), name="lifespan of the host")
    try:
        questions.put_nowait({"type": "lifespan.startup"})
        answer = await answers.get()
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            reason = str(answer.get("message") or "its lifespan failed").strip()
            _log.error("the application did not start: %s", reason)
            raise HostNotStarted(reason.splitlines()[-1])
        yield
        if answer is not None:
            questions.put_nowait({"type": "lifespan.shutdown"})
            answer = await answers.get()
            if answer is not None and answer["type"] == "lifespan.shutdown.failed":
                _log.error("the application's shutdown failed: %s", answer.get("message", ""))
    finally:
        task.cancel()
        await asyncio.wait({task})
