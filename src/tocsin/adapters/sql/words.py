"""The words of a notification in its user's language: a back end's template, or the server's own."""

import builtins
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, select

from tocsin.adapters.sql.dialects import compiled, upsert
from tocsin.adapters.sql.idempotency import was_done
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.schema import template as table
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.application.once import Once
from tocsin.application.texts import LANGUAGES, Lang, text_of
from tocsin.domain.errors import NotFound
from tocsin.domain.template import Template, render
from tocsin.domain.timestamp import now_ms

_KNOWN = "templates"


_named = table.c.name == bindparam("name")
_ANY = compiled(select(select(table.c.name).exists()))
_OF_NAME = compiled(select(table).where(_named).order_by(table.c.locale))
_LIST = compiled(select(table).order_by(table.c.name, table.c.locale))
_first = upsert(table).values({column.name: bindparam(column.name) for column in table.c})
_changed = {name: _first.excluded[name] for name in ("title", "message", "updated_at")}
_SAVE = compiled(_first.on_conflict_do_update(index_elements=[table.c.name, table.c.locale], set_=_changed))
_DELETE = compiled(delete(table).where(_named))


def words(
    transaction: Transaction, name: str, values: Mapping[str, Any], locale: str | None, lang: Lang
) -> tuple[str, str] | None:
    """
    Return title and message, or None where there are none of that name.

    In the user's language, else in the server's (``lang``), else in English, else in any that there is.
    """
    wanted = [*dict.fromkeys(one for one in (locale, lang, "en") if one is not None)]
    if _KNOWN not in transaction.known:
        transaction.known[_KNOWN] = bool(transaction.row(_ANY, {})[0])
    if transaction.known[_KNOWN]:
        found = {row[1]: row for row in transaction.rows(_OF_NAME, {"name": name})}
        for language in (*wanted, *found):
            if language in found:
                return render(_from_row(found[language]), values)
    own: Lang = next((one for one in LANGUAGES if one == wanted[0]), "en")
    text = text_of(name, values, own)
    return None if text is None else (text.title, text.message)


def _from_row(row: Any) -> Template:
    name, locale, title, message, updated_at = row
    return Template(name=name, locale=locale, title=title, message=message, updated_at=updated_at)


class SqlTemplates:
    """Implements ``TemplateStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def list(self, name: str | None = None) -> list[Template]:
        """Return those of a name, or all."""

        def read(reader: Reader) -> list[Template]:
            query, values = (_LIST, {}) if name is None else (_OF_NAME, {"name": name})
            return [_from_row(row) for row in reader.execute(query, values)]

        return await self._store.read(read)

    async def can_be_used(self, name: str, once: Once | None) -> bool:
        """Return whether there are words, or what wants them was done before."""

        def look(reader: Reader) -> bool:
            is_there = reader.execute(_OF_NAME, {"name": name}).fetchone() is not None
            return is_there or (once is not None and was_done(reader, once, now_ms()))

        return await self._store.read(look)

    async def save(self, templates: builtins.list[Template]) -> None:
        """Replace all languages of a name."""

        def save(transaction: Transaction) -> None:
            transaction.execute(_DELETE, {"name": templates[0].name})
            for one in templates:
                values = {"name": one.name, "locale": one.locale, "title": one.title, "message": one.message}
                transaction.execute(_SAVE, values | {"updated_at": transaction.now})
            transaction.known[_KNOWN] = True

        await self._store.write(save)

    async def delete(self, name: str) -> None:
        """Remove all languages of a name."""

        def remove(transaction: Transaction) -> None:
            if not transaction.execute(_DELETE, {"name": name}).rowcount:
                raise NotFound("there is no such template")

        await self._store.write(remove)
