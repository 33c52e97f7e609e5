"""
Another channel: where a user's notifications, or all of a category, may go besides push: e-mail, Slack and the like.

Its URL is one of Apprise's and holds passwords: it is stored whole and shown nowhere.
"""

from dataclasses import dataclass, field
from typing import Any

from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId, user_id_json

MAX_URL = 2_048
MAX_NAME = 100
MAX_CHANNELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDraft:
    """
    What a back end sets up.

    Attributes:
        user_id: Whose notifications; None: everybody's of the category.
        category: Of these only; None: all of the user's.
        url: Where they go, as Apprise writes it.
        name: As traces and lists call it; None: by the URL's scheme.
    """

    user_id: UserId | None
    category: str | None
    url: str = field(repr=False)
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel that is set up; instants are milliseconds since 1970."""

    id: str
    user_id: UserId | None
    category: str | None
    url: str = field(repr=False)
    name: str | None
    created_at: int

    @property
    def scheme(self) -> str:
        """Return the part of the URL that may be shown."""
        return self.url.partition("://")[0]

    @property
    def label(self) -> str:
        """Return what a trace calls it."""
        return self.name or self.scheme

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers, without the URL."""
        return {
            "id": self.id,
            "user_id": None if self.user_id is None else user_id_json(self.user_id),
            "category": self.category,
            "scheme": self.scheme,
            "name": self.name,
            "created_at": iso(self.created_at),
        }
