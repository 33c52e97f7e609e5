"""When users were there last: kept for those who have gone, stored a little later."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.application.chat import ChatStore
from tocsin.domain.errors import TocsinError
from tocsin.domain.timestamp import iso_or_none
from tocsin.domain.user_id import UserId, user_id_json

# How long what is to be stored may gather.
SAVE_S = 1.0
BATCH = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What may be told of a user: ``last_seen_at`` is when they went, None while they are there or nobody knows."""

    user_id: UserId
    is_online: bool
    last_seen_at: int | None

    def json(self) -> dict[str, Any]:
        """Return the JSON object of answers."""
        return {
            "user_id": user_id_json(self.user_id),
            "is_online": self.is_online,
            "last_seen_at": iso_or_none(self.last_seen_at),
        }


class LastSeen:
    """
    Keeps when users went, in milliseconds since 1970. Belongs to the event loop's thread.

    What the database has no time for waits here, and is known meanwhile.
    """

    def __init__(self, chats: ChatStore) -> None:
        self._chats = chats
        self._gone: dict[UserId, int] = {}
        self._saver: asyncio.Task[None] | None = None

    def note(self, users: Iterable[UserId], at: int) -> None:
        """Take that users were there last at a time; never waits."""
        self._gone |= dict.fromkeys(users, at)
        if self._gone and self._saver is None:
            self._saver = asyncio.create_task(self._save_soon(), name="tocsin-last-seen")

    def forget(self, user_id: UserId) -> None:
        """Take that a user is there again."""
        self._gone.pop(user_id, None)

    async def find(self, users: Sequence[UserId], away: Sequence[UserId]) -> dict[UserId, int]:
        """Return when users were, those who are away and those who go just now, of whom it is known."""
        stored = await self._chats.last_seen(away) if away else {}
        return stored | {user_id: self._gone[user_id] for user_id in users if user_id in self._gone}

    async def stop(self) -> None:
        """Store what waits."""
        if self._saver is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
        await self._save()

    async def _save_soon(self) -> None:
        try:
            while self._gone:
                await asyncio.sleep(SAVE_S)
                await self._save()
        finally:
            self._saver = None

    async def _save(self) -> None:
        while gone := list(self._gone.items())[:BATCH]:
            try:
                await self._chats.save_last_seen(gone)
            except TocsinError as error:
                _log.warning("when %d users were last seen is not stored yet: %s", len(gone), error.detail)
                return
            for user_id, seen_at in gone:
                if self._gone.get(user_id) == seen_at:
                    del self._gone[user_id]
