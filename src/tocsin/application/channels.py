"""Other channels, set up by the back end: e-mail, Slack and the like. Nothing is sent here."""

import builtins
from typing import Protocol

from tocsin.application.once import Once
from tocsin.domain.channel import MAX_NAME, MAX_URL, Channel, ChannelDraft
from tocsin.domain.errors import Invalid
from tocsin.domain.notification import MAX_CATEGORY
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId


class ChannelStore(Protocol):
    """Keeps channels."""

    async def save(self, draft: ChannelDraft, once: Once | None = None) -> Channel:
        """
        Keep a channel; the same URL for the same user and category again is the same one, with the new name.

        Raises:
            Conflict: The user, or the category, has 20 already.
        """

    async def list(self, user_id: UserId | None, category: str | None) -> list[Channel]:
        """Return those of a user, or of a category, or (None, None) all; the oldest first."""

    async def delete(self, channel_id: str) -> None:
        """Remove one; NotFound when there is none."""

    async def find(self, user_id: UserId, category: str | None) -> builtins.list[Channel]:
        """Return where a user's notification of a category goes."""


class ChannelUrls(Protocol):
    """Knows which URLs can be sent to."""

    async def check(self, url: str) -> None:
        """Raise Invalid where one can't; the detail does not tell it."""


class Channels:
    """
    Use-cases of other channels. Belongs to the event loop's thread.

    A write returns after it is committed. No refusal tells a URL.
    """

    def __init__(self, store: ChannelStore, urls: ChannelUrls) -> None:
        self._store = store
        self._urls = urls

    async def add(self, draft: ChannelDraft, once: Once | None = None) -> Channel:
        """
        Set a channel up; the same again changes its name.

        Raises:
            Invalid: A field breaks a rule, or nothing can be sent to the URL.
            Conflict: The user, or the category, has 20 already.
            KeyReused: ``once`` was used for another request.
        """
        if draft.user_id is None and draft.category is None:
            raise Invalid("user_id or category is required: whose notifications go there?")
        if draft.category is not None:
            check_text("category", draft.category, MAX_CATEGORY)
        if draft.name is not None:
            check_text("name", draft.name, MAX_NAME)
        url: object = draft.url
        if not isinstance(url, str) or not 1 <= len(url) <= MAX_URL or not url.isprintable():
            raise Invalid(f"url must be a string of 1 to {MAX_URL} printable characters")
        await self._urls.check(url)
        return await self._store.save(draft, once)

    async def list(self, user_id: UserId | None = None, category: str | None = None) -> builtins.list[Channel]:
        """Return those of a user, or of a category, or all; the oldest first."""
        return await self._store.list(user_id, category)

    async def remove(self, channel_id: str) -> None:
        """Remove one; NotFound when there is none."""
        await self._store.delete(channel_id)
