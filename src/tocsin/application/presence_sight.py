"""Who may see whether somebody is there: partners, and whom the host lets, never across a block."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tocsin.application.chat import ChatStore
from tocsin.application.presence_watches import MAX_WATCHED, Watches
from tocsin.domain.errors import Invalid, TocsinError
from tocsin.domain.user_id import UserId

AGAIN_S = 1.0

MayWatch = Callable[[UserId, UserId], bool | Awaitable[bool]]

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Asking:
    """Who is being answered, and who has blocked them or was blocked by them meanwhile."""

    user_id: UserId
    blocked: set[UserId] = field(default_factory=set)


class Sight:
    """
    Decides what may be seen, and looks again at what is watched. Belongs to the event loop's thread.

    Args:
        chats: Knows who has blocked whom.
        partners_of: Returns a user's partners.
        watches: What is watched.
        on_hidden: Called with a user and who watched them, and may no more.

    Attributes:
        may_watch: The host's word on whether the first user may see the second, beside what conversations allow.
    """

    def __init__(
        self,
        chats: ChatStore,
        partners_of: Callable[[UserId], Awaitable[set[UserId]]],
        watches: Watches,
        on_hidden: Callable[[UserId, UserId], None],
    ) -> None:
        self._chats = chats
        self._partners_of = partners_of
        self._watches = watches
        self._on_hidden = on_hidden
        self.may_watch: MayWatch = lambda _watcher, _watched: False
        self._asking: set[_Asking] = set()
        self._unchecked: set[UserId] = set()
        self._checker: asyncio.Task[None] | None = None

    async def allowed(self, user_id: UserId, others: Sequence[UserId]) -> list[UserId]:
        """Return of some users those that a user may see, each once; Invalid for too many."""
        if len(others) > MAX_WATCHED:
            raise Invalid(f"at most {MAX_WATCHED} users can be asked for at a time")
        peers = await self._partners_of(user_id)
        strangers = [other for other in dict.fromkeys(others) if other not in peers]
        asking = _Asking(user_id)
        self._asking.add(asking)
        try:
            by_host = {other for other in strangers if await self._allows(user_id, other)}
            peers = await self._partners_of(user_id)
        finally:
            self._asking.remove(asking)
        return [other for other in dict.fromkeys(others) if other in peers or other in by_host - asking.blocked]

    def on_block(self, user_id: UserId, other: UserId, *, is_blocked: bool) -> None:
        """Follow a block, or its end, between a user and another."""
        for asking in self._asking:
            if asking.user_id == user_id:
                (asking.blocked.add if is_blocked else asking.blocked.discard)(other)

    async def _allows(self, user_id: UserId, other: UserId) -> bool:
        allowed = self.may_watch(user_id, other)
        # The host decides among strangers, a block is the user's own word.
        return bool(await allowed if inspect.isawaitable(allowed) else allowed) and await self._chats.may_write(
            user_id, other
        )

    def check(self, watchers: Iterable[UserId]) -> None:
        """Look soon whether users may still see whom they watch; never waits."""
        self._unchecked.update(user_id for user_id in watchers if self._watches.watched_by(user_id))
        if self._unchecked and self._checker is None:
            self._checker = asyncio.create_task(self._check(), name="tocsin-presence-watches")

    async def _check(self) -> None:
        try:
            while self._unchecked:
                user_id = self._unchecked.pop()
                watched = [*self._watches.watched_by(user_id)]
                try:
                    allowed = await self.allowed(user_id, watched)
                except TocsinError as error:
                    _log.warning("who may be watched is looked at later: %s", error.detail)
                    self._unchecked.add(user_id)
                    await asyncio.sleep(AGAIN_S)
                except Exception:  # noqa: BLE001 logged
                    # The host's function; what it has allowed before stays.
                    _log.exception("may_watch failed")
                else:
                    for hidden in set(watched).difference(allowed):
                        self._on_hidden(hidden, user_id)
        finally:
            self._checker = None

    async def stop(self) -> None:
        """Look at nothing more."""
        self._unchecked.clear()
        if self._checker is not None:
            self._checker.cancel()
            await asyncio.gather(self._checker, return_exceptions=True)
