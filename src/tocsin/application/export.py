"""Gives out all that is kept of a user, as one JSON object that is written while it is read."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
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


class Export:
    """
    The JSON document of a user in chunks, of which no more is held than one; it has a place until it is closed.

    Belongs to the event loop's thread.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], leave: Callable[[], None]) -> None:
        self._chunks = chunks
        self._leave = leave
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the chunks; once. Whoever has the last one finds the place free."""
        async for chunk in self._chunks:
            yield chunk
        await self.close()

    async def close(self) -> None:
        """End it, read to its end or not, and give up its place; once more changes nothing."""
        if not self._is_closed:
            self._is_closed = True
            await self._chunks.aclose()
            self._leave()


class Exports:
    """Writes exports; a bounded number at a time, and of a user one. Belongs to the event loop's thread."""

    def __init__(self, store: ExportStore) -> None:
        self._store = store
        self._open: set[UserId] = set()

    def open(self, user_id: UserId) -> Export:
        """
        Return the export of a user; whoever opened it closes it.

        Raises:
            Overloaded: Too many exports run, or one of this user does.
        """
        if user_id in self._open:
            raise Overloaded("an export of this user runs already", retry_after_s=10.0)
        if len(self._open) >= MOST_AT_ONCE:
            raise Overloaded(f"{MOST_AT_ONCE} exports run already", retry_after_s=10.0)
        self._open.add(user_id)
        return Export(self._write(user_id), lambda: self._open.discard(user_id))

    async def _write(self, user_id: UserId) -> AsyncGenerator[bytes, None]:
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
