"""Gives out all that is kept of a user, as one JSON object that is written while it is read."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Protocol

import orjson

from tocsin.domain.errors import Overloaded
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import UserId, user_id_json

FORMAT = "tocsin-export-1"
# Each reads for as long as its client takes.
MOST_AT_ONCE = 4


class ExportStore(Protocol):
    """Reads what is kept of a user."""

    def parts(self, user_id: UserId) -> AsyncIterator[tuple[str, Sequence[dict[str, Any]]]]:
        """
        Return rows as JSON objects, a kind after the other and in parts; every kind comes once at least.

        Each part is of an instant of its own. No secret is in them that who has it could use.
        """


class Exports:
    """Writes exports; a bounded number at a time. Belongs to the event loop's thread."""

    def __init__(self, store: ExportStore) -> None:
        self._store = store
        self._open = 0

    def open(self, user_id: UserId) -> AsyncGenerator[bytes, None]:
        """
        Return the JSON document of a user in chunks; no more of it is held than a chunk.

        Raises:
            Overloaded: Too many exports run.
        """
        if self._open >= MOST_AT_ONCE:
            raise Overloaded(f"{MOST_AT_ONCE} exports run already", retry_after_s=10.0)
        return self._write(user_id)

    async def _write(self, user_id: UserId) -> AsyncGenerator[bytes, None]:
        self._open += 1
        try:
            head = {"format": FORMAT, "user_id": user_id_json(user_id), "exported_at": iso(now_ms())}
            yield orjson.dumps(head)[:-1]
            kind, is_first = "", True
            async for name, rows in self._store.parts(user_id):
                opening = b""
                if name != kind:
                    opening = (b"" if not kind else b"]") + b',\n"' + name.encode() + b'":['
                    kind, is_first = name, True
                lines = b",\n".join(orjson.dumps(row) for row in rows)
                yield opening + (b"" if is_first or not rows else b",\n") + lines
                is_first = is_first and not rows
            yield b"]}\n" if kind else b"}\n"
        finally:
            self._open -= 1
