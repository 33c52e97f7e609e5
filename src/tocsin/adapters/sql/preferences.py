"""Preferences of users, and the back end's defaults beneath them: one JSON object each."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, bindparam, delete, insert, literal_column, select

from tocsin.adapters.sql.delivery_statements import SQL as DELIVERIES
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.schema import preference as table
from tocsin.adapters.sql.transaction import Look, Reader, Transaction
from tocsin.application.preferences import Said
from tocsin.domain.delivery import quiet_reason
from tocsin.domain.errors import Invalid
from tocsin.domain.preference import NOTHING_SAID, Preferences
from tocsin.domain.user_id import UserId

# No user has this id: it has no character.
DEFAULTS: Final = UserId("")
_KNOWN = "preferences"

_log = logging.getLogger(__name__)


_DEFAULTS: ColumnElement[str] = literal_column("''")
_mine = table.c.user_id == bindparam("user_id")
_ANY = compiled(select(select(table.c.user_id).exists()))
_either: list[Any] = [bindparam("user_id", type_=table.c.user_id.type), _DEFAULTS]
_FIND = compiled(select(table.c.user_id, table.c.body).where(table.c.user_id.in_(_either)))
_DELETE = compiled(delete(table).where(_mine))
_INSERT = compiled(insert(table).values({column.name: bindparam(column.name) for column in table.c}))


def effective(transaction: Transaction, user_id: UserId) -> Preferences:
    """Return what holds for a user, within a transaction."""
    # Looked up once for all that share the transaction: where nobody has any, it costs next to nothing.
    if _KNOWN not in transaction.known:
        transaction.known[_KNOWN] = bool(transaction.row(_ANY, {})[0])
    return _found(transaction.rows(_FIND, {"user_id": user_id})) if transaction.known[_KNOWN] else NOTHING_SAID


def foreseen(user_ids: Iterable[UserId]) -> list[Look]:
    """Return what ``effective`` will look for."""
    return [(_ANY, {}), *((_FIND, {"user_id": user_id}) for user_id in user_ids)]


def combine(own: bytes | None, defaults: bytes | None) -> Preferences:
    """Return what holds, of saved bodies."""
    return NOTHING_SAID if own is None and defaults is None else _combined(own, defaults)


@lru_cache(maxsize=4096)
def _combined(own: bytes | None, defaults: bytes | None) -> Preferences:
    return _read(own).over(_read(defaults))


def _found(rows: Any) -> Preferences:
    bodies = {row[0]: bytes(row[1]) for row in rows}
    defaults = bodies.pop(DEFAULTS, None)
    return combine(next(iter(bodies.values()), None), defaults)


def _read(body: bytes | None) -> Preferences:
    if body is None:
        return NOTHING_SAID
    try:
        return Preferences.read(orjson.loads(body))
    except Invalid as error:
        # A zone that this machine does not know must not hold everybody's pushes back.
        _log.warning("the preferences of a user can't be read, and are passed over: %s", error.detail)
        return NOTHING_SAID


class SqlPreferences:
    """Implements ``PreferenceStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def find(self, user_id: UserId) -> Said:
        """Return what a user has said, and what the back end has."""

        def find(reader: Reader) -> Said:
            bodies = {row[0]: row[1] for row in reader.execute(_FIND, {"user_id": user_id})}
            return Said(_read(bodies.get(user_id)), _read(bodies.get(DEFAULTS)))

        return await self._store.read(find)

    async def save(self, user_id: UserId, preferences: Preferences) -> None:
        """Replace what a user has said."""
        await self._save(user_id, preferences)

    async def save_defaults(self, preferences: Preferences) -> None:
        """Replace what the back end has said."""
        await self._save(DEFAULTS, preferences)

    async def _save(self, user_id: UserId, preferences: Preferences) -> None:
        def save(transaction: Transaction) -> None:
            values = {"user_id": user_id, "body": orjson.dumps(preferences.json()), "updated_at": transaction.now}
            transaction.execute(_DELETE, {"user_id": user_id})
            transaction.execute(_INSERT, values)
            # What waits for the end of quiet hours, or of a mute, is planned anew.
            wake = DELIVERIES.wake_everybody if user_id == DEFAULTS else DELIVERIES.wake_deliveries
            now = transaction.now
            transaction.execute(wake, {"user_id": user_id, "now": now, "quiet": quiet_reason(now)})
            transaction.known[_KNOWN] = True

        await self._store.write(save)
