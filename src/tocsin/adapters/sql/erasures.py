"""Jobs that erase users, and how they are carried out: short turns of the writer, pages of whole tables between."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, literal_column, select, update

from tocsin.adapters.sql import erase_own, erase_streams
from tocsin.adapters.sql.dialects import compiled, upsert
from tocsin.adapters.sql.erase_mentions import MENTIONS, Mention, Row, may_name, values
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.pages import Page, Pages
from tocsin.adapters.sql.schema import erasure as table
from tocsin.adapters.sql.transaction import Transaction
from tocsin.application.erasure import OnCut
from tocsin.domain.erasure import SETTLE_MS, Erasure
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

# Rows of one transaction: what others write waits no longer than for these.
TURN = 500
_TURN_BYTES = 500_000
_HOLD_MS = 30_000
_MOST_JOBS: ColumnElement[int] = literal_column("1000")
_ZERO: ColumnElement[int] = literal_column("0")

_mine = table.c.user_id == bindparam("user_id")
_FIELDS = tuple(table.c.keys())
_FIND = compiled(select(table).where(_mine))
_LIST = compiled(select(table).order_by(table.c.requested_at, table.c.user_id).limit(_MOST_JOBS).offset(_ZERO))
_REQUEST = compiled(upsert(table).values({name: bindparam(name) for name in _FIELDS}).on_conflict_do_nothing())
_due_at = bindparam("due_at", type_=table.c.due_at.type)
_CLAIM = compiled(update(table).values(due_at=_due_at).where(_mine, table.c.due_at <= bindparam("now")))
_GO_ON = compiled(update(table).values(due_at=_due_at, done=table.c.done + bindparam("rows")).where(_mine))
_SETTLE = compiled(update(table).values(due_at=_due_at, state=bindparam("state")).where(_mine))
_FINISH = compiled(delete(table).where(_mine))


class SqlErasures:
    """
    Implements ``ErasureStore``; see there for what each method guarantees.

    Args:
        settle_ms: How long after the rows are gone the last look is taken.
    """

    def __init__(self, store: OpenStore, *, settle_ms: int = SETTLE_MS) -> None:
        self._store = store
        self._settle_ms = settle_ms

    async def request(self, user_id: UserId) -> Erasure:
        """Begin to erase a user."""

        def begin(transaction: Transaction) -> Erasure:
            now = transaction.now
            new = Erasure(
                user_id=user_id,
                alias=UserId(f"erased-{uuid.uuid4().hex}"),
                state="erasing",
                requested_at=now,
                due_at=now,
                done=0,
            )
            transaction.execute(_REQUEST, {name: getattr(new, name) for name in _FIELDS})
            return _from_row(transaction.row(_FIND, {"user_id": user_id}))

        return await self._store.write(begin)

    async def find(self, user_id: UserId) -> Erasure | None:
        """Return the job of a user."""
        row = await self._store.read(lambda reader: reader.execute(_FIND, {"user_id": user_id}).fetchone())
        return None if row is None else _from_row(row)

    async def list(self) -> list[Erasure]:
        """Return all jobs."""
        return await self._store.read(lambda reader: [_from_row(row) for row in reader.execute(_LIST)])

    async def work(self, user_id: UserId, on_cut: OnCut) -> Erasure | None:
        """Erase all that there is of a user, if it is due."""
        if not await self._store.write(lambda transaction: _claim(transaction, user_id)):
            return await self.find(user_id)
        wanted = await self.find(user_id)
        if wanted is None:
            return None
        await self._erase_own(wanted)
        for mention in MENTIONS:
            await self._erase_mentions(wanted, mention)
        await self._cut_streams(wanted, on_cut)
        # Again: what was written of the user while whole tables were looked through.
        await self._erase_own(wanted)
        return await self._store.write(lambda transaction: self._end(transaction, wanted))

    def _end(self, transaction: Transaction, wanted: Erasure) -> Erasure | None:
        if wanted.state == "settling":
            transaction.execute(_FINISH, {"user_id": wanted.user_id})
            return None
        due_at = transaction.now + self._settle_ms
        transaction.execute(_SETTLE, {"user_id": wanted.user_id, "state": "settling", "due_at": due_at})
        return _from_row(transaction.row(_FIND, {"user_id": wanted.user_id}))

    async def _erase_own(self, wanted: Erasure) -> None:
        def turn(transaction: Transaction) -> tuple[int, bool]:
            rows, is_done = erase_own.turn(transaction, wanted.user_id, TURN)
            return _go_on(transaction, wanted, rows), is_done

        while not (await self._store.write(turn))[1]:
            pass

    async def _erase_mentions(self, wanted: Erasure, mention: Mention) -> None:
        async def change(page: Page) -> None:
            for rows in _turns(page.rows):
                await self._store.write(partial(_change, wanted=wanted, mention=mention, rows=rows))

        await self._look_through(wanted, mention.pages, may_name(wanted.user_id), change)

    async def _cut_streams(self, wanted: Erasure, on_cut: OnCut) -> None:
        cut: set[StreamKey] = set()

        async def end(page: Page) -> None:
            for keys in _parts([key for key in erase_streams.streams_of(page) if key not in cut]):
                await self._store.write(partial(_cut, wanted=wanted, keys=keys))
                cut.update(keys)
                for key in keys:
                    await self._delete_pruned(key)
                on_cut(keys)

        await self._look_through(wanted, erase_streams.PAGES, erase_streams.names(wanted.user_id), end)

    async def _delete_pruned(self, key: StreamKey) -> None:
        while await self._store.write(lambda transaction: erase_streams.delete_pruned(transaction, key, TURN)):
            pass

    async def _look_through(
        self, wanted: Erasure, pages: Pages, is_meant: Callable[[Row], bool], take: Callable[[Page], Any]
    ) -> None:
        asked, after = values(wanted), pages.start
        while True:
            page = await self._store.read(partial(pages.read, after=after, values=asked, is_meant=is_meant))
            await take(page)
            if page.end is None:
                return
            after = page.end
            await self._store.write(lambda transaction: _go_on(transaction, wanted, 0))


def _claim(transaction: Transaction, user_id: UserId) -> int:
    held = {"user_id": user_id, "now": transaction.now, "due_at": transaction.now + _HOLD_MS}
    return transaction.execute(_CLAIM, held).rowcount


def _go_on(transaction: Transaction, wanted: Erasure, rows: int) -> int:
    held = {"user_id": wanted.user_id, "due_at": transaction.now + _HOLD_MS, "rows": rows}
    transaction.execute(_GO_ON, held)
    return rows


def _change(transaction: Transaction, wanted: Erasure, mention: Mention, rows: Sequence[Row]) -> int:
    # Anew: others have changed them since, as a job that runs has moved on.
    found = mention.pages.again(transaction, rows)
    # Waited for together, not one by one.
    outcomes = [one for row in found for one in mention.change(transaction, wanted, row)]
    return _go_on(transaction, wanted, sum(one.rowcount for one in outcomes))


def _cut(transaction: Transaction, wanted: Erasure, keys: Sequence[StreamKey]) -> int:
    return _go_on(transaction, wanted, sum(erase_streams.cut(transaction, key) for key in keys))


def _turns(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Return what is changed in one transaction each: to rewrite long JSON takes its time, too."""
    taken: list[Row] = []
    size = 0
    for row in rows:
        size += sum(len(value) for value in row.values() if isinstance(value, bytes))
        taken.append(row)
        if len(taken) >= TURN or size >= _TURN_BYTES:
            yield taken
            taken, size = [], 0
    if taken:
        yield taken


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), TURN):
        yield rows[start : start + TURN]


def _from_row(row: Sequence[Any]) -> Erasure:
    return Erasure(**dict(zip(_FIELDS, row, strict=True)))
