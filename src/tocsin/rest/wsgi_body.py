"""The body of a request on its way from ASGI to the view that reads it in a thread, and who left behind it."""

import asyncio
import concurrent.futures
import io
from collections import deque
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive

# What a body may be ahead of its view.
MAX_AHEAD = 256 * 1024


class Incoming:
    """
    The request's messages, for the view that reads them and for who wants to know when the client leaves.

    Args:
        receive: Of ASGI.
        on_gone: Called when the client has left, once ``watch`` was called.
    """

    def __init__(self, receive: Receive, on_gone: Callable[[], None]) -> None:
        self._receive = receive
        self._on_gone = on_gone
        self._pending: asyncio.Future[Message] | None = None
        # Parts of the body that came while the view did not ask for one.
        self._kept: deque[Message] = deque()
        self._kept_size = 0
        self._is_whole = False
        self._is_lost = False
        self._is_reading = False
        self._has_read = False
        self._is_watched = False
        self._is_answered = False

    async def next(self) -> Message:
        """
        Return the next message.

        Raises:
            OSError: The answer began first, and the body was too long to be kept.
        """
        self._has_read = True
        if self._is_lost:
            raise OSError("the body is gone: read it before the answer begins")
        if self._kept:
            message = self._kept.popleft()
            self._kept_size -= len(message.get("body", b""))
        else:
            self._is_reading = True
            message = await asyncio.shield(self._begin())
            self._is_reading = False
            if message["type"] == "http.disconnect":
                return message
            self._pending = None
        if self._is_watched:
            self._look_ahead()
        return message

    def watch(self, *, is_answered: bool = False) -> None:
        """
        Wait for the client to leave; what comes of its body meanwhile is kept for ``next``.

        Args:
            is_answered: The answer has begun: a long body that the view has not looked at
                is dropped, or its client's leaving behind it would never be seen.
        """
        self._is_watched = True
        self._is_answered |= is_answered
        self._look_ahead()
        if self._pending is not None and self._pending.done():
            self._look(self._pending)  # the view knows it already

    def cancel(self) -> None:
        """Wait no more."""
        if self._pending is not None:
            self._pending.cancel()

    def _look_ahead(self) -> None:
        if self._kept_size > MAX_AHEAD and not self._is_whole:
            if self._has_read or not self._is_answered:
                return  # the client waits for the view
            self._kept.clear()
            self._kept_size = 0
            self._is_lost = True
        self._begin()

    def _begin(self) -> asyncio.Future[Message]:
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
            self._pending.add_done_callback(self._look)
        return self._pending

    def _look(self, pending: asyncio.Future[Message]) -> None:
        # The view may have come in between, and have it already: kept, it would be read twice.
        if pending is not self._pending or pending.cancelled() or not self._is_watched:
            return
        if pending.exception() is not None or pending.result()["type"] == "http.disconnect":
            self._on_gone()
        elif not self._is_reading:
            message = pending.result()
            self._pending = None
            self._kept.append(message)
            self._kept_size += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            self._look_ahead()


class Body(io.RawIOBase):
    """The request's body, read in the view's thread."""

    def __init__(self, incoming: Incoming, loop: asyncio.AbstractEventLoop) -> None:
        self._incoming = incoming
        self._loop = loop
        self._rest = memoryview(b"")
        self._is_over = False

    def readable(self) -> bool:
        """Return that it is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """
        Wait for the next part, and return how much of it is in the buffer; 0 at the end.

        Raises:
            OSError: The client left in the middle, or the part is not there any more.
        """
        while not self._rest and not self._is_over:
            self._rest = memoryview(self._next())
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def _next(self) -> bytes:
        waiting = self._incoming.next()
        try:
            told = asyncio.run_coroutine_threadsafe(waiting, self._loop)
        except RuntimeError:  # the loop is closed
            waiting.close()
            raise BrokenPipeError("the request has ended") from None
        try:
            message = told.result()
        except concurrent.futures.CancelledError:
            raise BrokenPipeError("the request has ended") from None
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client left before the end of its request")
        self._is_over = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body
