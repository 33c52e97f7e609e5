"""
One statement for many rows: what PostgreSQL is sent instead of a statement for each.

Columns go as arrays, each one text in which the server finds the elements: a
list that psycopg encodes would take four times as long. The text of a statement
must stay below 4,096 characters and 50 values, or psycopg reads it anew each time.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tocsin.adapters.sql.dialects import for_postgres
from tocsin.adapters.sql.transaction import Values

_VALUE = re.compile(r"%(?:\((\w+)\))?s(?:::(\w+))?")
_INSERTED = re.compile(r"VALUES \(([^()]*(?:\(\w+\)[^()]*)*)\)")
_UPSERTED = re.compile(r"ON CONFLICT \(([\w, ]+)\) DO UPDATE")
# A value that nobody gave a type to is of a column of bytes.
_BYTES = "BYTEA"

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class ManyRows:
    """
    An insertion of many rows.

    Attributes:
        text: Takes one array a column.
        table: Where to.
        columns: Their names and places.
        types: Of the columns, in order.
        names: Of the values, in order; empty where a row gives them in order.
        key: Where the columns stand that no two rows of one statement may have alike; empty: any may.
    """

    text: str
    table: str
    columns: Mapping[str, int]
    types: Sequence[str]
    names: Sequence[str]
    key: Sequence[int]

    def row(self, values: Values) -> Sequence[Any]:
        """Return values in the order of the columns."""
        return [values[name] for name in self.names] if isinstance(values, Mapping) else values

    def values(self, row: Sequence[Any]) -> Values:
        """Return a row as the statement for one takes it."""
        return dict(zip(self.names, row, strict=True)) if self.names else row


@cache
def insertion(statement: str) -> ManyRows | None:
    """
    Return the same statement for many rows, or None when it is no plain insertion.

    Plain is one whose values are all given, that returns nothing, and whose
    outcome for a row depends on no condition.
    """
    text = for_postgres(statement)
    inserted = _INSERTED.search(text)
    if inserted is None or not text.startswith("INSERT") or " RETURNING " in text or " WHERE " in text:
        return None
    values = inserted[1].split(", ")
    found = [_VALUE.fullmatch(value) for value in values]
    given = [one for one in found if one is not None]
    if len(given) != len(values) or len(_VALUE.findall(text)) != len(values):
        return None
    types = [one[2] or _BYTES for one in given]
    columns = {name: place for place, name in enumerate(text[text.index("(") + 1 : text.index(")")].split(", "))}
    upserted = _UPSERTED.search(text)
    return ManyRows(
        text=text.replace(inserted[0], f"SELECT * FROM unnest({_arrays(types)})"),  # noqa: S608 no value in it
        table=text.split()[2],
        columns=columns,
        types=types,
        names=[one[1] for one in given if one[1]],
        key=[columns[name] for name in upserted[1].split(", ")] if upserted else [],
    )


@dataclass(frozen=True, slots=True)
class ManyLooks:
    """
    A query asked with many values.

    Attributes:
        text: Takes one array a value, all of one length; its rows begin with the place, from 1, of the
            values that they answer. Not to be sent where there are no values: one answer is all there is.
        types: Of the values, in order.
        names: Of the values, in order.
    """

    text: str
    types: Sequence[str]
    names: Sequence[str]


@cache
def look(statement: str) -> ManyLooks:
    """Return a query whose values, if it has any, have names and types for many of them."""
    text = for_postgres(statement)
    types: dict[str, str] = {}
    for name, of_type in _VALUE.findall(text):
        assert name, f"a value of {text} has no name"
        assert of_type, f"a value of {text} has no type"
        types[name] = of_type
    named = ", ".join(f'"{name}"' for name in types)
    asked = _VALUE.sub(lambda value: f'asked."{value[1]}"', text)
    return ManyLooks(
        text=f"SELECT asked.place, found.* FROM unnest({_arrays([*types.values()])})"  # noqa: S608 no value in it
        f" WITH ORDINALITY AS asked ({named}, place) CROSS JOIN LATERAL ({asked}) AS found",
        types=[*types.values()],
        names=[*types],
    )


def _arrays(types: Sequence[str]) -> str:
    return ", ".join(f"%s::{one}[]" for one in types)


def columns(types: Sequence[str], rows: Rows) -> list[str | None]:
    """Return the arrays of rows; of a column that is NULL in all of them, NULL, which is as good."""
    return [_array(one, values) for one, values in zip(types, zip(*rows, strict=True), strict=True)]


def _array(of_type: str, values: Sequence[Any]) -> str | None:
    if not any(value is not None for value in values):
        return None
    element = _ELEMENTS.get(of_type, str)
    return "{" + ",".join(["NULL" if value is None else element(value) for value in values]) + "}"


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bytes(value: bytes) -> str:
    return '"\\\\x' + value.hex() + '"'


_ELEMENTS: dict[str, Callable[[Any], str]] = {"VARCHAR": _text, _BYTES: _bytes}
