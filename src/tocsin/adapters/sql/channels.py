"""Other channels of users and categories: rows alone, no stream tells of them."""

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.idempotency import perform_once
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.schema import channel as table
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.application.once import Once
from tocsin.domain.channel import MAX_CHANNELS, Channel, ChannelDraft
from tocsin.domain.errors import Conflict, NotFound
from tocsin.domain.identifier import new_id
from tocsin.domain.user_id import UserId

_COLUMNS = tuple(table.c.keys())


_one = table.c.id == bindparam("id")
_mine = table.c.user_id == bindparam("user_id")
_its = table.c.category == bindparam("category")
_same_owner = and_(
    table.c.user_id.is_not_distinct_from(bindparam("user_id")),
    table.c.category.is_not_distinct_from(bindparam("category")),
)
_all = select(table).order_by(table.c.created_at, table.c.id)
_LIST = {
    (False, False): compiled(_all),
    (True, False): compiled(_all.where(_mine)),
    (False, True): compiled(_all.where(_its)),
    (True, True): compiled(_all.where(_mine, _its)),
}
_OF_OWNER = compiled(_all.where(_same_owner))
_FIND = compiled(
    _all.where(or_(and_(_mine, or_(table.c.category.is_(None), _its)), and_(table.c.user_id.is_(None), _its)))
)
_INSERT = compiled(insert(table).values({name: bindparam(name) for name in _COLUMNS}))
_RENAME = compiled(update(table).values(name=bindparam("name")).where(_one))
_DELETE = compiled(delete(table).where(_one))


class SqlChannels:
    """Implements ``ChannelStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def save(self, draft: ChannelDraft, once: Once | None = None) -> Channel:
        """Keep a channel."""

        def from_json(saved: dict[str, Any]) -> Channel:
            return Channel(**saved, url=draft.url)

        return await self._store.write(
            lambda transaction: perform_once(
                transaction, once, lambda inner: _save(inner, draft), _without_secret, from_json
            )
        )

    async def list(self, user_id: UserId | None, category: str | None) -> builtins.list[Channel]:
        """Return those of a user, or of a category, or all."""
        query = _LIST[user_id is not None, category is not None]
        return await self._query(query, {"user_id": user_id, "category": category})

    async def delete(self, channel_id: str) -> None:
        """Remove one."""

        def remove(transaction: Transaction) -> None:
            if not transaction.execute(_DELETE, {"id": channel_id}).rowcount:
                raise NotFound("there is no such channel")

        await self._store.write(remove)

    async def find(self, user_id: UserId, category: str | None) -> builtins.list[Channel]:
        """Return where a user's notification of a category goes."""
        return await self._query(_FIND, {"user_id": user_id, "category": category})

    async def _query(self, query: str, values: Mapping[str, Any]) -> builtins.list[Channel]:
        def run(reader: Reader) -> builtins.list[Channel]:
            return [_from_row(row) for row in reader.execute(query, values)]

        return await self._store.read(run)


def _save(transaction: Transaction, draft: ChannelDraft) -> Channel:
    found = [_from_row(row) for row in transaction.rows(_OF_OWNER, asdict(draft))]
    for one in found:
        if one.url == draft.url:
            name = one.name if draft.name is None else draft.name
            transaction.execute(_RENAME, {"id": one.id, "name": name})
            return replace(one, name=name)
    if len(found) >= MAX_CHANNELS:
        raise Conflict(f"there are {MAX_CHANNELS} channels already, which is the most: remove one first")
    channel = Channel(id=new_id(), created_at=transaction.now, **asdict(draft))
    transaction.execute(_INSERT, asdict(channel))
    transaction.known["anybody"] = True
    return channel


def _without_secret(channel: Channel) -> dict[str, Any]:
    return {name: value for name, value in asdict(channel).items() if name != "url"}


def _from_row(row: Sequence[Any]) -> Channel:
    return Channel(**dict(zip(_COLUMNS, row, strict=True)))
