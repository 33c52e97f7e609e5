"""Readers without a socket that follow a stream: each is told when its log may have grown."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tocsin.application.ports import Bus
from tocsin.domain.errors import Overloaded, RateLimited
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId

USER_TAILS = 20


class Tails:
    """
    Who follows which stream on this node. Belongs to the event loop's thread.

    It carries no event: whoever is woken reads the log, which is the truth.

    Args:
        bus: Brings what other nodes commit.
        most: How many one user may have at a time.

    Attributes:
        waiting: The bells of each stream that is followed.
        is_open: False from the first moment of a drain: everybody is to end.
    """

    def __init__(self, bus: Bus, most: int = USER_TAILS) -> None:
        self._bus = bus
        self._most = most
        self._of_user: Counter[UserId] = Counter()
        self.waiting: dict[StreamKey, list[asyncio.Event]] = {}
        self.is_open = True

    def __len__(self) -> int:
        return self._of_user.total()

    def check(self, user_id: UserId) -> None:
        """
        Refuse one too many.

        Raises:
            RateLimited: The user has as many as one may.
            Overloaded: This node takes nobody any more.
        """
        if not self.is_open:
            raise Overloaded("this server is about to stop: come again")
        if self._of_user[user_id] >= self._most:
            raise RateLimited(f"a user may follow {self._most} streams at a time: close one", retry_after_s=5)

    @contextmanager
    def follow(self, key: StreamKey) -> Iterator[asyncio.Event]:
        """
        Have a bell that rings whenever the log of a stream may have grown, and when the node closes.

        Raises:
            RateLimited: As ``check`` does.
            Overloaded: The same.
        """
        self.check(key.user_id)
        bell = asyncio.Event()
        self._of_user[key.user_id] += 1
        self.waiting.setdefault(key, []).append(bell)
        self._bus.follow(key.user_id)
        try:
            yield bell
        finally:
            self._bus.unfollow(key.user_id)
            bells = self.waiting[key]
            bells.remove(bell)
            if not bells:
                del self.waiting[key]
            self._of_user[key.user_id] -= 1
            if not self._of_user[key.user_id]:
                del self._of_user[key.user_id]

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Ring for committed events."""
        self.on_wake(event.key for event in events)

    def on_wake(self, keys: Iterable[StreamKey]) -> None:
        """Ring for streams that may have grown."""
        for key in keys:
            for bell in self.waiting.get(key, ()):
                bell.set()

    def on_gap(self) -> None:
        """Ring for all: wake-ups may have been missed."""
        self.on_wake(self.waiting)

    def close(self) -> None:
        """Let everybody end; their clients come back, to another node or after the restart."""
        self.is_open = False
        self.on_gap()
