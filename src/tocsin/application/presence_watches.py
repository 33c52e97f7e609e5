"""Who wants to hear of whom beside their partners."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

from tocsin.domain.errors import Invalid
from tocsin.domain.user_id import UserId

MAX_WATCHED = 500

_NOBODY: frozenset[UserId] = frozenset()


class Watches:
    """Pairs of users, found from both ends. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._watched: dict[UserId, set[UserId]] = {}
        self._watchers: dict[UserId, set[UserId]] = {}

    def add(self, user_id: UserId, others: Collection[UserId]) -> None:
        """Let a user watch others, too; Invalid, and nothing has changed, beyond ``MAX_WATCHED``."""
        if len(self.watched_by(user_id) | set(others)) > MAX_WATCHED:
            raise Invalid(f"at most {MAX_WATCHED} users can be watched")
        for other in others:
            self._watched.setdefault(user_id, set()).add(other)
            self._watchers.setdefault(other, set()).add(user_id)

    def __iter__(self) -> Iterator[UserId]:
        """Iterate over all who watch anybody."""
        return iter(self._watched)

    def watched_by(self, user_id: UserId) -> AbstractSet[UserId]:
        """Return whom a user watches."""
        return self._watched.get(user_id, _NOBODY)

    def watchers_of(self, user_id: UserId) -> AbstractSet[UserId]:
        """Return who watches a user."""
        return self._watchers.get(user_id, _NOBODY)

    def drop(self, user_id: UserId, other: UserId) -> None:
        """Let a user watch another no more, if they do."""
        _drop(self._watched, user_id, other)
        _drop(self._watchers, other, user_id)

    def forget(self, user_id: UserId) -> None:
        """Let a user watch nobody."""
        for other in list(self.watched_by(user_id)):
            self.drop(user_id, other)

    def clear(self) -> None:
        """Let nobody watch anybody."""
        self._watched.clear()
        self._watchers.clear()


def _drop(pairs: dict[UserId, set[UserId]], one: UserId, other: UserId) -> None:
    if (others := pairs.get(one)) is not None:
        others.discard(other)
        if not others:
            del pairs[one]
