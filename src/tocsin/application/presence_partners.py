"""Who has a conversation with whom: read for all of whom it is asked meanwhile in one trip."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import chain, islice

from tocsin.application.chat import ChatStore
from tocsin.application.ports import Bus
from tocsin.domain.errors import TocsinError
from tocsin.domain.user_id import UserId

MAX_PEERS = 1_000
# How long what is asked of the database may gather.
GATHER_S = 0.02
AGAIN_S = 1.0
BATCH = 100

_log = logging.getLogger(__name__)


class Partners:
    """
    Reads the partners of users, not older than the moment they were asked for. Belongs to the event loop's thread.

    A user waits once, however often they are asked for; what the database has no time for is read later.

    Args:
        bus: Tells when events of other nodes arrive: a conversation that begins after is heard of.
        chats: Knows them.
        on_read: Called with a user and their partners, at most ``MAX_PEERS``.
    """

    def __init__(self, bus: Bus, chats: ChatStore, on_read: Callable[[UserId, set[UserId]], None]) -> None:
        self._bus = bus
        self._chats = chats
        self._on_read = on_read
        # Sets that keep their order. Whoever is seen already lets those go first who have just come.
        self._waiting: dict[UserId, None] = {}
        self._again: dict[UserId, None] = {}
        # Of whom what is being read just now is wanted.
        self._reading: set[UserId] = set()
        self._reader: asyncio.Task[None] | None = None

    def __contains__(self, user_id: UserId) -> bool:
        """Return whether a user's partners are going to be read."""
        return user_id in self._waiting or user_id in self._again

    def read_soon(self, user_id: UserId) -> None:
        """Read a user's partners; never waits. What is being read just now may be too old."""
        self._again.pop(user_id, None)
        self._waiting[user_id] = None
        self._begin()

    def read_anew(self, user_id: UserId) -> None:
        """Do so for one who comes; what is being read just now is of an earlier stay."""
        self._reading.discard(user_id)
        self.read_soon(user_id)

    def read_again(self, users: Iterable[UserId]) -> None:
        """Do so after all who are waited for."""
        self._again |= dict.fromkeys(user_id for user_id in users if user_id not in self._waiting)
        if self._again:
            self._begin()

    async def stop(self) -> None:
        """Read nothing more."""
        self._waiting.clear()
        self._again.clear()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def _begin(self) -> None:
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name="tocsin-presence")

    async def _read(self) -> None:
        try:
            while self._waiting or self._again:
                await asyncio.sleep(GATHER_S)
                batch = dict.fromkeys(islice(chain(self._waiting, self._again), BATCH))
                # Taken out first: whoever is asked for meanwhile is read once more.
                for user_id in batch:
                    self._waiting.pop(user_id, None)
                    self._again.pop(user_id, None)
                self._reading = set(batch)
                await self._bus.heard(batch.keys())
                try:
                    found = await self._chats.peers(list(batch), MAX_PEERS)
                except TocsinError as error:
                    _log.warning("presence of %d users waits: %s", len(batch), error.detail)
                    self._waiting = batch | self._waiting
                    await asyncio.sleep(AGAIN_S)
                    continue
                for user_id, peers in zip(batch, found, strict=True):
                    if user_id in self._reading:
                        self._on_read(user_id, set(peers))
        finally:
            self._reader = None
