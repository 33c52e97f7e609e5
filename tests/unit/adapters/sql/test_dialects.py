"""Dialects: SQLite's text of a statement finds PostgreSQL's."""

import pytest
from sqlalchemy import BigInteger, bindparam, cast, select

from tocsin.adapters.sql.dialects import compiled, for_postgres, pair


def test_the_text_of_sqlite_finds_that_of_postgres():
    """Parameters are written as each driver wants them."""
    text = compiled(select(bindparam("one")))

    assert text == "SELECT :one AS anon_1"
    assert for_postgres(text) == "SELECT %(one)s AS anon_1"
    assert for_postgres(pair("of dialects: SQLite", "of PostgreSQL")) == "of PostgreSQL"


def test_the_same_statement_twice_is_no_matter():
    """Two modules may ask the same."""
    assert compiled(select(bindparam("two"))) == compiled(select(bindparam("two")))
    assert "%(two)s" in for_postgres(compiled(select(bindparam("two"))))


def test_two_statements_that_only_postgres_tells_apart_are_refused():
    """Which of them a text means would depend on the order of imports."""
    text = pair("SELECT of dialects", str(cast(bindparam("x"), BigInteger)))
    pair("SELECT of dialects", "SELECT something else")

    with pytest.raises(ValueError, match="several to PostgreSQL"):
        for_postgres(text)
