"""Readers without a socket that follow a stream: each is told when its log may have grown, and when it is to end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from secrets import token_hex

from tocsin.application.ports import Bus
from tocsin.domain.errors import Overloaded, RateLimited
from tocsin.domain.events import NAMESPACES
from tocsin.domain.principal import Principal
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId

USER_TAILS = 20


class Tail:
    """
    One reader.

    Args:
        key: What it follows.
        principal: Whose token it lives by.
        address: Where it is, for operators.

    Attributes:
        id: Its name for operators.
        since: Milliseconds since 1970.
        bell: Rings when the log may have grown, and when the reader is to end.
        is_open: False: it is to end.
    """

    __slots__ = ("address", "bell", "id", "is_open", "key", "principal", "since")

    def __init__(self, key: StreamKey, principal: Principal, address: str | None) -> None:
        self.id = token_hex(8)
        self.key = key
        self.principal = principal
        self.address = address
        self.since = now_ms()
        self.bell = asyncio.Event()
        self.is_open = True

    def end(self) -> None:
        """Let it end; its client comes back, if it is let in."""
        self.is_open = False
        self.bell.set()


class Tails:
    """
    Who follows which stream on this node. Belongs to the event loop's thread.

    It carries no event: whoever is woken reads the log, which is the truth.

    Args:
        bus: Brings what other nodes commit.
        most: How many one user may have at a time.

    Attributes:
        waiting: The readers of each stream that is followed.
    """

    def __init__(self, bus: Bus, most: int = USER_TAILS) -> None:
        self._bus = bus
        self._most = most
        self._of_user: Counter[UserId] = Counter()
        self._is_open = True
        self.waiting: dict[StreamKey, list[Tail]] = {}

    def __len__(self) -> int:
        return self._of_user.total()

    @property
    def users(self) -> Collection[UserId]:
        """Return the users who read; a view."""
        return self._of_user.keys()

    def of(self, user_id: UserId) -> list[Tail]:
        """Return a user's readers."""
        return [tail for name in NAMESPACES for tail in self.waiting.get(StreamKey(user_id, name), ())]

    def count(self) -> Counter[str]:
        """Return how many readers each namespace has."""
        found: Counter[str] = Counter(dict.fromkeys(NAMESPACES, 0))
        for key, readers in self.waiting.items():
            found[key.namespace] += len(readers)
        return found

    def check(self, user_id: UserId) -> None:
        """
        Refuse one too many.

        Raises:
            RateLimited: The user has as many as one may.
            Overloaded: This node takes nobody any more.
        """
        if not self._is_open:
            raise Overloaded("this server is about to stop: come again")
        if self._of_user[user_id] >= self._most:
            raise RateLimited(f"a user may follow {self._most} streams at a time: close one", retry_after_s=5)

    @contextmanager
    def follow(self, key: StreamKey, principal: Principal, address: str | None = None) -> Iterator[Tail]:
        """
        Be one of the readers of a stream.

        Raises:
            RateLimited: As ``check`` does.
            Overloaded: The same.
        """
        self.check(key.user_id)
        tail = Tail(key, principal, address)
        self._of_user[key.user_id] += 1
        self.waiting.setdefault(key, []).append(tail)
        self._bus.follow(key.user_id)
        try:
            yield tail
        finally:
            self._bus.unfollow(key.user_id)
            readers = self.waiting[key]
            readers.remove(tail)
            if not readers:
                del self.waiting[key]
            self._of_user[key.user_id] -= 1
            if not self._of_user[key.user_id]:
                del self._of_user[key.user_id]

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Ring for committed events."""
        if self.waiting:
            self.on_wake(event.key for event in events)

    def on_wake(self, keys: Iterable[StreamKey]) -> None:
        """Ring for streams that may have grown."""
        for key in keys:
            for tail in self.waiting.get(key, ()):
                tail.bell.set()

    def on_gap(self) -> None:
        """Ring for all: wake-ups may have been missed."""
        self.on_wake(self.waiting)

    def end(self, is_meant: Callable[[Principal], bool]) -> None:
        """Let those end whose token is meant."""
        for readers in self.waiting.values():
            for tail in readers:
                if is_meant(tail.principal):
                    tail.end()

    def close(self) -> None:
        """Let everybody end, and take nobody; their clients come back, to another node or after the restart."""
        self._is_open = False
        self.end(lambda _: True)
