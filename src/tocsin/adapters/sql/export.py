"""What is kept of a user: the rows that ``erase_own`` deletes, conversations with both sides, and what waits."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Integer, LargeBinary, Select, Table, and_, bindparam, literal_column, select, true

from tocsin.adapters.sql.chat_statements import SQL as CHAT
from tocsin.adapters.sql.connection import snapshot
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.pages import Pages
from tocsin.adapters.sql.schema import (
    channel,
    conversation,
    delivery,
    delivery_attempt,
    device,
    e2ee_device,
    e2ee_one_time_key,
    e2ee_to_device,
    last_seen,
    message,
    notification,
    preference,
    scheduled,
    stream,
    stream_event,
    topic_subscription,
    web_push_subscription,
)
from tocsin.adapters.sql.transaction import Reader
from tocsin.domain.device import masked
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId, user_id_json

PART = 500

Row = dict[str, Any]

_ZERO: ColumnElement[int] = literal_column("0")
_PART: ColumnElement[int] = literal_column(str(PART))
_INSTANTS = frozenset({"at", "snoozed_until", "claimable_until"})
# Who knows them can push to the user, or as the server.
_SECRET = frozenset({"auth", "p256dh"})
_MASKED: dict[str, Callable[[str], str]] = {
    "token": masked,
    "endpoint": lambda value: "/".join(value.split("/", 3)[:3]),
    "url": lambda value: value.partition("://")[0],
}


class _Walk:
    """
    Rows in the order of one column, a part at a time.

    Args:
        table: Whose.
        order: The column.
        condition: Which of them.
        places: Conditions of which each row meets one, and each has its index. They are read at one instant:
            a row that goes from one to another meanwhile is neither missed nor met twice.
    """

    def __init__(
        self,
        table: Table,
        order: str,
        condition: ColumnElement[bool],
        places: Sequence[ColumnElement[bool]] = (true(),),
    ) -> None:
        self._names = table.c.keys()
        self._order = order
        column = table.c[order]
        self._start: Any = -1 if isinstance(column.type, Integer) else ""
        query: Select[Any] = select(table).where(condition, column > bindparam("after", type_=column.type))
        ordered = query.order_by(column).limit(_PART).offset(_ZERO)
        self._queries = [compiled(ordered.where(place)) for place in places]
        self._blobs = {name for name in self._names if isinstance(table.c[name].type, LargeBinary)}

    async def parts(self, store: OpenStore, values: Row) -> AsyncIterator[list[Row]]:
        """Return them; one part at least."""
        after = self._start
        while True:
            rows = await store.read(partial(self._read, values=values | {"after": after}))
            yield rows
            if len(rows) < PART:
                return
            after = rows[-1][self._order]

    def _read(self, reader: Reader, values: Row) -> list[Row]:
        with snapshot(reader):
            each = [[*map(self._row, reader.execute(query, values))] for query in self._queries]
        return [*islice(merge(*each, key=itemgetter(self._order)), PART)]

    def _row(self, values: Sequence[Any]) -> Row:
        row = dict(zip(self._names, values, strict=True))
        return row | {name: bytes(row[name]) for name in self._blobs if row[name] is not None}


def _mine(table: Table) -> ColumnElement[bool]:
    return table.c.user_id == bindparam("user_id")


_NAMED: dict[str, tuple[Table, str]] = {
    "devices": (device, "id"),
    "web_push_subscriptions": (web_push_subscription, "id"),
    "channels": (channel, "id"),
    "topics": (topic_subscription, "topic"),
    "preferences": (preference, "user_id"),
    "last_seen": (last_seen, "user_id"),
    "encrypting_devices": (e2ee_device, "device_id"),
    "sealed_messages_waiting": (e2ee_to_device, "id"),
    "deliveries_pending": (delivery, "seq"),
    "conversations": (conversation, "peer_id"),
    "streams": (stream, "namespace"),
}
_WALKS = {kind: _Walk(table, order, _mine(table)) for kind, (table, order) in _NAMED.items()}
_is_snoozed = notification.c.snoozed_until.is_not(None)
_is_archived = notification.c.archived_at.is_not(None)
_NOTIFICATIONS = _Walk(
    notification,
    "seq",
    _mine(notification),
    (and_(~_is_archived, ~_is_snoozed), _is_archived, and_(_is_snoozed, ~_is_archived)),
)
_from, _to = message.c.from_user_id == bindparam("from_user_id"), message.c.to_user_id == bindparam("to_user_id")
_MESSAGES = _Walk(message, "id", and_(_from, _to))
_its = stream_event.c.namespace == bindparam("namespace")
_EVENTS = _Walk(stream_event, "seq", and_(_mine(stream_event), _its))
_of_device = e2ee_one_time_key.c.device_id == bindparam("device_id")
_KEYS = _Walk(e2ee_one_time_key, "key_id", and_(_mine(e2ee_one_time_key), _of_device))
# No index finds these.
_SCHEDULED, _ATTEMPTS = (Pages(table, _mine(table), table.c.keys()) for table in (scheduled, delivery_attempt))


class SqlExport:
    """Implements ``ExportStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def parts(self, user_id: UserId) -> AsyncIterator[tuple[str, Sequence[Row]]]:
        """Return rows as JSON objects."""
        async for kind, rows in self._parts(user_id):
            yield kind, [_json(row) for row in rows]

    async def _parts(self, user_id: UserId) -> AsyncIterator[tuple[str, Sequence[Row]]]:
        mine = {"user_id": user_id}
        heads: dict[str, list[str]] = {kind: [] for kind in _WALKS}
        for kind, walk in _WALKS.items():
            async for rows in walk.parts(self._store, mine):
                yield kind, rows
                heads[kind] += [str(row[_NAMED[kind][1]]) for row in rows]
        peers = heads["conversations"]
        sides = dict.fromkeys(pair for peer in peers for pair in ((user_id, peer), (peer, user_id)))
        # Before the notifications that they become.
        async for rows in self._look_through(_SCHEDULED, mine):
            yield "scheduled", rows
        below: list[tuple[str, _Walk, list[Row]]] = [
            ("notifications", _NOTIFICATIONS, [mine]),
            ("messages", _MESSAGES, [{"from_user_id": one, "to_user_id": other} for one, other in sides]),
            ("events", _EVENTS, [mine | {"namespace": namespace} for namespace in heads["streams"]]),
            ("one_time_keys", _KEYS, [mine | {"device_id": one} for one in heads["encrypting_devices"]]),
        ]
        for kind, walk, each in below:
            yield kind, ()
            for values in each:
                async for rows in walk.parts(self._store, values):
                    is_sent = walk is _MESSAGES and values["from_user_id"] == user_id
                    yield kind, await self._as_its_sender_sees(rows, values) if is_sent else rows
        async for rows in self._look_through(_ATTEMPTS, mine):
            yield "delivery_attempts", rows

    async def _as_its_sender_sees(self, rows: list[Row], sides: Row) -> list[Row]:
        # Asked for behind the rows: a receipt of after a block that began meanwhile is in none of them.
        pair = {"user_id": sides["from_user_id"], "peer_id": sides["to_user_id"]}
        (since,) = await self._store.read(lambda reader: reader.execute(CHAT.blocked_since, pair).fetchone())
        if since is None:
            return rows
        return [
            row | {name: None for name in ("read_at", "delivered_at") if row[name] is not None and row[name] > since}
            for row in rows
        ]

    async def _look_through(self, pages: Pages, values: Row) -> AsyncIterator[list[Row]]:
        after: tuple[Any, ...] | None = pages.start
        while after is not None:
            page = await self._store.read(partial(pages.read, after=after, values=values))
            yield page.rows
            after = page.end


def _json(row: Row) -> Row:
    """Return a row as it is given out."""
    # A name of SQLAlchemy's is no plain string.
    return {str(name): _value(name, value) for name, value in row.items() if name not in _SECRET}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bytes):
        return orjson.Fragment(value)
    if name in _MASKED:
        return _MASKED[name](value)
    if isinstance(value, int):
        return iso(value) if name.endswith("_at") or name in _INSTANTS else value
    return user_id_json(value) if name.endswith(("user_id", "peer_id")) or name == "claimed_by" else value
