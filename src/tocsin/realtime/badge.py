"""Tells a client that has come up to the head how many notifications are unread, so that a bell needs no request."""

import asyncio
import logging

from tocsin.application.ports import Store
from tocsin.domain.errors import TocsinError
from tocsin.domain.stream import Head, StreamKey
from tocsin.engine import Socket

NAMESPACE = "/notifications"

_log = logging.getLogger(__name__)


class Badges:
    """
    Emits ``unread_count {unread_count, as_of}`` after ``synced``. Belongs to the event loop's thread.

    Those that come together are asked for together. A count that can't be read is left out: every event has one.
    ``as_of`` is the seq of the newest event counted, and not called ``seq``: only what a cursor counts has that.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Socket, StreamKey]] = []
        self._task: asyncio.Task[None] | None = None

    def tell(self, socket: Socket, key: StreamKey, head: Head | None = None) -> None:
        """Tell at once from a head that was read already, else soon, if it is the stream of an inbox; never waits."""
        if key.namespace != NAMESPACE:
            return
        if head is not None:
            _tell(socket, head)
            return
        self._waiting.append((socket, key))
        if self._task is None:
            self._task = asyncio.create_task(self._tell_all(), name="tocsin-badges")

    async def stop(self) -> None:
        """Tell nobody any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _tell_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    heads = await self._store.heads([key for _, key in batch])
                except TocsinError as error:
                    # Whoever came meanwhile is looked up all the same.
                    _log.warning("badges are not told: %s", error.code)
                    continue
                for (socket, _), head in zip(batch, heads, strict=True):
                    _tell(socket, head)
        finally:
            self._task = None


def _tell(socket: Socket, head: Head) -> None:
    if socket.connected and (head.unread is not None or not head.seq):
        socket.emit("unread_count", {"unread_count": head.unread or 0, "as_of": head.seq})
