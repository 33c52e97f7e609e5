"""
A whole table looked through in its own order, a bounded part at a time, for rows that no index finds.

The database compares; only what matches is read.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Integer, LargeBinary, Table, bindparam, literal_column, select, tuple_

from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.transaction import Foreseen, Reader, Transaction

# Rows that are looked at in one query.
PAGE = 20_000

_ONE: ColumnElement[int] = literal_column("1")


class Page(NamedTuple):
    """Matching rows by column; ``end`` is the key of the last one looked at, None behind the table's last."""

    rows: list[dict[str, Any]]
    end: tuple[Any, ...] | None


class Pages:
    """
    The rows of a table that meet a condition.

    Args:
        table: With a primary key of text and numbers, none of them empty or below zero.
        condition: Its parameters are bound by name.
        columns: What is read of a row besides its key.
    """

    def __init__(
        self, table: Table, condition: ColumnElement[bool], columns: Sequence[str] = (), page: int = PAGE
    ) -> None:
        key: Sequence[Column[Any]] = [*table.primary_key]
        self._key = [column.name for column in key]
        self._names = [*dict.fromkeys([*self._key, *columns])]
        self._blobs = [name for name in self._names if isinstance(table.c[name].type, LargeBinary)]
        self._page = page
        self.start = tuple(-1 if isinstance(column.type, Integer) else "" for column in key)
        its: Any = tuple_(*key)
        read = [table.c[name] for name in self._names]
        after = its > tuple_(*(bindparam(f"after{place}", type_=one.type) for place, one in enumerate(key)))
        until = its <= tuple_(*(bindparam(f"until{place}", type_=one.type) for place, one in enumerate(key)))
        self._one = compiled(select(*read).where(*(column == bindparam(column.name) for column in key)))
        self._end = compiled(select(*key).where(after).order_by(*key).limit(_ONE).offset(bindparam("page")))
        self._within = compiled(select(*read).where(after, until, condition).order_by(*key))
        self._rest = compiled(select(*read).where(after, condition).order_by(*key))

    def read(
        self,
        reader: Reader,
        after: Sequence[Any],
        values: dict[str, Any],
        is_meant: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> Page:
        """Return what matches in the next part behind a key, and is meant on a closer look."""
        bounds = {f"after{place}": one for place, one in enumerate(after)}
        end = reader.execute(self._end, {**bounds, "page": self._page - 1}).fetchone()
        if end is None:
            return Page([*filter(is_meant, self._rows(reader.execute(self._rest, {**values, **bounds})))], None)
        bounds |= {f"until{place}": one for place, one in enumerate(end)}
        return Page([*filter(is_meant, self._rows(reader.execute(self._within, {**values, **bounds})))], tuple(end))

    def again(self, transaction: Transaction, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return rows as they are in a transaction, without those that are no more."""
        looks = [(self._one, {name: row[name] for name in self._key}) for row in rows]
        transaction.foresee(Foreseen(looks=looks))
        return [*self._rows(row for row in (transaction.row(*look) for look in looks) if row is not None)]

    def _rows(self, found: Any) -> Iterator[dict[str, Any]]:
        for values in found:
            row = dict(zip(self._names, values, strict=True))
            for name in self._blobs:
                row[name] = None if row[name] is None else bytes(row[name])
            yield row
