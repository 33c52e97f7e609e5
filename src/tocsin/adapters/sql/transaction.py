"""What an operation sees of the transaction that it runs in."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.domain.stream import StreamEvent


class Transaction:
    """
    One operation's part of a write transaction. Belongs to the writer thread.

    An operation raises its refusals before its first write; then the others
    that share the transaction are not disturbed.

    Attributes:
        now: The operation's instant, in milliseconds since 1970.
        events: What the operation appended to streams, in order.
    """

    __slots__ = ("connection", "events", "now")

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self.connection = connection
        self.now = now
        self.events: list[StreamEvent] = []

    def execute(self, statement: str, values: Mapping[str, Any] | Sequence[Any]) -> sqlite3.Cursor:
        """Run one statement."""
        return self.connection.execute(statement, values)

    def row(self, statement: str, values: Mapping[str, Any] | Sequence[Any]) -> Any:
        """Return the first row, or None."""
        return self.connection.execute(statement, values).fetchone()
