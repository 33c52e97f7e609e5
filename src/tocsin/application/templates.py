"""Templates of a back end: the words of its notifications, by name and language."""

import builtins
from collections.abc import Mapping
from typing import Protocol

from tocsin.application.once import Once
from tocsin.application.texts import LANGUAGES
from tocsin.domain.errors import Invalid
from tocsin.domain.template import Template, check_template

MAX_LOCALES = 50


class TemplateStore(Protocol):
    """Keeps templates."""

    async def list(self, name: str | None = None) -> list[Template]:
        """Return those of a name, or all; by name and language."""

    async def can_be_used(self, name: str, once: Once | None) -> bool:
        """Return whether there are words of a name, or what wants them was done before, under its key."""

    async def save(self, templates: builtins.list[Template]) -> None:
        """Replace all languages of one name."""

    async def delete(self, name: str) -> None:
        """Remove all languages of a name; NotFound when there is none."""


class Templates:
    """
    Use-cases of templates. Belongs to the event loop's thread.

    A name of one of the guide's events, such as ``post_liked``, puts a back end's words in
    the place of the server's.
    """

    def __init__(self, store: TemplateStore) -> None:
        self._store = store

    async def save(self, name: str, words: Mapping[str, tuple[str, str]]) -> builtins.list[Template]:
        """
        Keep title and message by language, such as ``en``; what there was of that name is replaced.

        Raises:
            Invalid: There is no language, a name breaks a rule, or a text is no template.
        """
        if not 1 <= len(words) <= MAX_LOCALES:
            raise Invalid(f"a template has 1 to {MAX_LOCALES} languages")
        templates = [
            Template(name=name, locale=locale, title=title, message=message)
            for locale, (title, message) in words.items()
        ]
        for one in templates:
            check_template(one)
        await self._store.save(templates)
        return await self._store.list(name)

    async def list(self, name: str | None = None) -> builtins.list[Template]:
        """Return those of a name, or all."""
        return await self._store.list(name)

    async def require(self, name: str, once: Once | None = None) -> None:
        """
        Accept a name that has words: of the back end, or of the server.

        Raises:
            Invalid: There are none of that name; if ``once`` was used for the same, there need not be any more.
        """
        if name not in LANGUAGES["en"] and not await self._store.can_be_used(name, once):
            raise Invalid(f"there is no template '{name}': PUT /api/templates/{name}")

    async def delete(self, name: str) -> None:
        """Remove all languages of a name; NotFound when there is none."""
        await self._store.delete(name)
