"""
One statement, two databases: its SQLite text is its name, its PostgreSQL text is found by it.

Operations and queries are written once and run with SQLite's text. What speaks
to PostgreSQL looks the other text up, which is compiled from the same
statement when it is first asked for: whoever has SQLite pays nothing for it.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import visitors
from sqlalchemy.sql.base import Executable

# SQLite's compiler reads an upsert of PostgreSQL, and not the other way round.
upsert = insert

_SQLITE = sqlite.dialect(paramstyle="named")
_SQLITE_ROW = sqlite.dialect(paramstyle="qmark")


@dataclass(frozen=True, slots=True)
class _Meant:
    """What a text of SQLite stands for; ``statement`` is None where each database has words of its own."""

    postgres: Callable[[], str]
    statement: Executable | None
    fields: Sequence[str] | None = None


# Two statements of one text may differ where SQLite knows no difference, as in a cast; then none is found by it.
_meant: dict[str, list[_Meant]] = defaultdict(list)


def compiled(statement: Executable) -> str:
    """Return the text of a statement whose parameters are bound by name."""
    text = _compile(statement, _SQLITE)
    _meant[text].append(_Meant(lambda: _compile(statement, _postgres("pyformat")), statement))
    return text


def compiled_row(statement: Executable, fields: Sequence[str]) -> str:
    """Return the text of one that takes a row: its values stand in the order of the fields."""
    text = _compile(statement, _SQLITE_ROW, fields)
    _meant[text].append(_Meant(lambda: _compile(statement, _postgres("format"), fields), statement, fields))
    return text


def pair(of_sqlite: str, of_postgres: str) -> str:
    """Return the text of what each database says in words of its own."""
    _meant[of_sqlite].append(_Meant(lambda: of_postgres, None))
    return of_sqlite


@cache
def for_postgres(text: str) -> str:
    """
    Return what PostgreSQL is sent where SQLite is sent this text.

    Raises:
        ValueError: Statements that PostgreSQL tells apart have the text.
    """
    one, *others = {meant.postgres() for meant in _meant[text]}
    if others:
        raise ValueError(f"these are one statement to SQLite, and several to PostgreSQL: {text}")
    return one


@lru_cache(maxsize=1_000)
def _of_host(text: str, dialect: Dialect) -> Any:
    return _meant[text][0].statement.compile(dialect=dialect)  # type: ignore[union-attr]


def for_host(text: str, values: Mapping[str, Any] | Sequence[Any], dialect: Dialect) -> tuple[str, Any]:
    """Return what the driver of a host's connection is sent where SQLite is sent this text and these values."""
    made = _of_host(text, dialect)
    if not isinstance(values, Mapping):
        values = dict(zip(_meant[text][0].fields or (), values, strict=True))
    return str(made), tuple([values[name] for name in made.positiontup]) if made.positional else dict(values)


@cache
def tables_of(text: str) -> frozenset[str]:
    """Return the names of the tables that a statement reads or writes; none are known of a ``pair``."""
    statement: Any = _meant[text][0].statement
    return frozenset(one.name for one in visitors.iterate(statement) if isinstance(one, Table))


def _postgres(paramstyle: str) -> Dialect:
    return PGDialect_psycopg(paramstyle=paramstyle)  # type: ignore[no-untyped-call]


def _compile(statement: Executable, dialect: Dialect, fields: Sequence[str] | None = None) -> str:
    made = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    assert fields is None or list(fields) == made.positiontup, f"{made} does not take {fields}"
    assert not any(made.params.values()), f"{made} has a value that nobody would bind"
    return str(made)
