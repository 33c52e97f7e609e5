"""Streams of others that name an erased user, cut off at their head: whoever follows one fetches the state anew."""

from collections.abc import Callable

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, delete, literal_column, select, tuple_, update

from tocsin.adapters.sql.contains import contains
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.erase_mentions import Row, may_name
from tocsin.adapters.sql.pages import Page, Pages
from tocsin.adapters.sql.schema import stream, stream_event
from tocsin.adapters.sql.transaction import Transaction
from tocsin.domain.erasure import names_user
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

_ONE: ColumnElement[int] = literal_column("1")
_ZERO: ColumnElement[int] = literal_column("0")

PAGES = Pages(
    stream_event,
    and_(
        stream_event.c.user_id != bindparam("user_id"),
        contains(stream_event.c.payload, bindparam("part", type_=stream_event.c.payload.type)),
    ),
    ["payload"],
    page=2_000,  # each may have 64 KB
)
_its = and_(stream.c.user_id == bindparam("user_id"), stream.c.namespace == bindparam("namespace"))
# One seq is skipped and nobody misses it, for all up to it is pruned: so who has seen the head is told, too.
_CUT = compiled(
    update(stream).values(seq=stream.c.seq + _ONE, pruned=stream.c.seq + _ONE).where(_its).returning(stream.c.pruned)
)
_key = (stream_event.c.user_id, stream_event.c.namespace, stream_event.c.seq)
_pruned = (
    select(*_key)
    .join(stream, and_(stream.c.user_id == stream_event.c.user_id, stream.c.namespace == stream_event.c.namespace))
    .where(_its, stream_event.c.seq <= stream.c.pruned)
    .limit(bindparam("limit"))
    .offset(_ZERO)
)
_DELETE_PRUNED = compiled(delete(stream_event).where(tuple_(*_key).in_(_pruned)))


def names(user_id: UserId) -> Callable[[Row], bool]:
    """Return what tells events that name a user from those that merely have the characters of its id."""
    may = may_name(user_id)
    return lambda row: may(row) and names_user(orjson.loads(row["payload"]), user_id)


def streams_of(page: Page) -> list[StreamKey]:
    """Return the streams of a page's events, in ascending order."""
    return sorted({StreamKey(UserId(row["user_id"]), row["namespace"]) for row in page.rows})


def cut(transaction: Transaction, key: StreamKey) -> int:
    """End what a stream keeps at its head; whoever follows it is told to fetch the state."""
    return int(transaction.row(_CUT, key._asdict()) is not None)


def delete_pruned(transaction: Transaction, key: StreamKey, most: int) -> int:
    """Delete a number of events at ``most`` that a cut has left behind; return how many."""
    return transaction.execute(_DELETE_PRUNED, {**key._asdict(), "limit": most}).rowcount
