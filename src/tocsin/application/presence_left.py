"""Who has just left this node and was still on another one, with who is to hear of it if they were not."""

import asyncio
from collections.abc import Iterable, Iterator

from tocsin.domain.user_id import UserId

# How long after a user left here another node may have counted on this one, when they left there.
CROSSING_S = 5.0


class JustLeft:
    """
    Remembers for some seconds. Belongs to the event loop's thread.

    Whoever leaves two nodes at once is believed by each of them to be on the other.
    """

    def __init__(self) -> None:
        self._observers: dict[UserId, set[UserId]] = {}

    def note(self, user_id: UserId, observers: set[UserId]) -> None:
        """Take that a user has left, of which these would hear."""
        self._observers[user_id] = observers
        asyncio.get_running_loop().call_later(CROSSING_S, self._forget, user_id, observers)

    def _forget(self, user_id: UserId, observers: set[UserId]) -> None:
        # They may have come and left again meanwhile.
        if self._observers.get(user_id) is observers:
            del self._observers[user_id]

    def forget(self, user_id: UserId) -> None:
        """Take that a user is here again."""
        self._observers.pop(user_id, None)

    def take(self, users: Iterable[UserId]) -> Iterator[tuple[UserId, set[UserId]]]:
        """Yield and forget those of some users who have just left, with who is to hear of it."""
        for user_id in users:
            observers = self._observers.pop(user_id, None)
            if observers is not None:
                yield user_id, observers

    def clear(self) -> None:
        """Forget all."""
        self._observers.clear()
