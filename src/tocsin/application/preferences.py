"""Preferences: read and replaced by their user, with defaults of the back end beneath them."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from tocsin.domain.preference import Preferences as Wanted
from tocsin.domain.user_id import UserId


@dataclass(frozen=True, slots=True)
class Said:
    """What a user has said, and what the back end has."""

    own: Wanted
    defaults: Wanted

    def json(self, categories: Iterable[str] = ()) -> dict[str, Any]:
        """Return the answer of REST; every category that is known or given has its rule."""
        effective = self.own.over(self.defaults)
        names = sorted({"*", *effective.categories, *categories})
        rules = {name: effective.rule(None if name == "*" else name).json() for name in names}
        return {
            "preferences": self.own.json(),
            "defaults": self.defaults.json(),
            "effective": {**effective.json(), "categories": rules},
            "categories": names,
        }


class PreferenceStore(Protocol):
    """Keeps preferences."""

    async def find(self, user_id: UserId) -> Said:
        """Return what a user has said, and what the back end has."""

    async def save(self, user_id: UserId, preferences: Wanted) -> None:
        """Replace what a user has said."""

    async def save_defaults(self, preferences: Wanted) -> None:
        """Replace what the back end has said."""


class Preferences:
    """
    Use-cases of preferences. Belongs to the event loop's thread.

    What is saved holds for every notification that is created after the call has returned,
    and for every push that is decided after it.

    Args:
        store: Keeps them.
        tell: Lets a user's open pages know that something is new.
    """

    def __init__(self, store: PreferenceStore, tell: Callable[[UserId], None]) -> None:
        self._store = store
        self._tell = tell
        self.find: Callable[[UserId], Awaitable[Said]] = store.find

    async def save(self, user_id: UserId, preferences: Wanted) -> Said:
        """Replace what a user has said, and tell all devices of it; return what holds."""
        await self._store.save(user_id, preferences)
        self._tell(user_id)
        return await self._store.find(user_id)

    async def save_defaults(self, preferences: Wanted) -> None:
        """Replace what holds for everybody who has not said otherwise."""
        await self._store.save_defaults(preferences)
