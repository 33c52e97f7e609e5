"""``contains(column, part)``: whether a column has this in it, text or bytes, on both databases."""

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class contains(FunctionElement[bool]):  # noqa: N801 named as functions of SQL are
    """The condition; its arguments are the column and what is looked for."""

    inherit_cache = True
    type = Boolean()


@compiles(contains)
def _of_sqlite(element: contains, compiler: Any, **options: Any) -> str:
    column, part = (compiler.process(one, **options) for one in element.clauses)
    return f"instr({column}, {part}) > 0"


@compiles(contains, "postgresql")
def _of_postgres(element: contains, compiler: Any, **options: Any) -> str:
    column, part = (compiler.process(one, **options) for one in element.clauses)
    return f"position({part} IN {column}) > 0"
