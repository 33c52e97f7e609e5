"""Who is writing to whom: told to the other side's open devices, never stored, over by itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

import orjson

from tocsin.application.ports import Bus
from tocsin.domain.errors import TocsinError
from tocsin.domain.stream import StreamEvent
from tocsin.domain.user_id import UserId, parse_user_id, user_id_json

# A client that is still writing says so again before this.
EXPIRES_S = 6.0
# What is said again sooner tells nobody anything new; clients repeat it every 3 s.
REPEAT_S = 2.5
# To how many users one can write at a time.
MAX_AT_ONCE = 20

_log = logging.getLogger(__name__)


class _Writing:
    """One user writes to another, on however many devices."""

    __slots__ = ("is_told", "timer", "told_at", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self.told_at = 0.0
        self.is_told = False
        self.timer: asyncio.TimerHandle | None = None


class Typing:
    """
    Keeps and tells who is writing. Belongs to the event loop's thread.

    One entry for two users, whatever their devices say; it ends by itself 6 s after it was last said.

    Args:
        bus: Carries it.
        may_write: Whether one user's signs reach another: asked when somebody begins.
    """

    def __init__(self, bus: Bus, may_write: Callable[[UserId, UserId], Awaitable[bool]]) -> None:
        self._bus = bus
        self._may_write = may_write
        self._writing: dict[UserId, dict[UserId, _Writing]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    def set(self, from_user_id: UserId, to_user_id: UserId, is_typing: bool) -> None:
        """Note what a device says; never waits."""
        to = self._writing.get(from_user_id)
        writing = None if to is None else to.get(to_user_id)
        if not is_typing:
            if writing is not None:
                self._end(from_user_id, to_user_id)
            return
        loop = asyncio.get_running_loop()
        if writing is None:
            to = self._writing.setdefault(from_user_id, {})
            if len(to) >= MAX_AT_ONCE:
                self._end(from_user_id, next(iter(to)))
                to = self._writing.setdefault(from_user_id, {})
            writing = to[to_user_id] = _Writing()
            writing.timer = loop.call_later(EXPIRES_S, self._look, from_user_id, to_user_id)
            task = asyncio.create_task(self._begin(from_user_id, to_user_id, writing), name="tocsin-typing")
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        writing.until = loop.time() + EXPIRES_S
        if writing.is_told and loop.time() - writing.told_at >= REPEAT_S:
            self._tell(from_user_id, to_user_id, writing)

    def forget(self, from_user_id: UserId) -> None:
        """End all signs of a user, who has gone."""
        for to_user_id in list(self._writing.get(from_user_id, ())):
            self._end(from_user_id, to_user_id)

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """End signs between two of whom one blocks the other; never waits."""
        for event in events:
            if event.namespace == "/chat" and event.event == "block_changed":
                blocked = parse_user_id(orjson.loads(event.payload)["user_id"])
                for writer, reader in ((event.user_id, blocked), (blocked, event.user_id)):
                    if reader in self._writing.get(writer, ()):
                        self._end(writer, reader)

    def stop(self) -> None:
        """Tell nothing more."""
        for to in self._writing.values():
            for writing in to.values():
                if writing.timer is not None:
                    writing.timer.cancel()
        for task in self._asking:
            task.cancel()
        self._writing.clear()

    async def _begin(self, from_user_id: UserId, to_user_id: UserId, writing: _Writing) -> None:
        try:
            may_write = await self._may_write(from_user_id, to_user_id)
        except TocsinError as error:
            _log.debug("a sign of writing was not told: %s", error.detail)
            return
        # It may have ended, and even begun again, meanwhile.
        if may_write and self._writing.get(from_user_id, {}).get(to_user_id) is writing:
            self._tell(from_user_id, to_user_id, writing)

    def _tell(self, from_user_id: UserId, to_user_id: UserId, writing: _Writing) -> None:
        writing.is_told = True
        writing.told_at = asyncio.get_running_loop().time()
        self._publish(from_user_id, to_user_id, is_typing=True)

    def _look(self, from_user_id: UserId, to_user_id: UserId) -> None:
        writing = self._writing[from_user_id][to_user_id]
        loop = asyncio.get_running_loop()
        if (left_s := writing.until - loop.time()) > 0:
            writing.timer = loop.call_later(left_s, self._look, from_user_id, to_user_id)
        else:
            self._end(from_user_id, to_user_id)

    def _end(self, from_user_id: UserId, to_user_id: UserId) -> None:
        to = self._writing[from_user_id]
        writing = to.pop(to_user_id)
        if not to:
            del self._writing[from_user_id]
        if writing.timer is not None:
            writing.timer.cancel()
        if writing.is_told:
            self._publish(from_user_id, to_user_id, is_typing=False)

    def _publish(self, from_user_id: UserId, to_user_id: UserId, *, is_typing: bool) -> None:
        payload = {"user_id": user_id_json(from_user_id), "is_typing": is_typing}
        self._bus.publish_ephemeral(to_user_id, "/chat", "user_typing", payload)
