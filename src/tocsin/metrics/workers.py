"""
How workers of one server ask each other for their readings: a Unix socket each, in the folder that they share.

Whoever connects is sent the readings as JSON, and the connection ends. Only the server's own user may enter the folder.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tocsin.metrics.reading import HistogramReading, Readings, Value

# A worker whose loop hangs is left out: its numbers would come too late for the scrape.
ANSWER_S = 2.0
_SUFFIX = ".metrics"


class Workers:
    """
    The readings of all workers. Belongs to one event loop.

    Args:
        folder: Where the sockets are.
        number: This worker's; no other has had it.
        read: Returns this worker's readings.
    """

    def __init__(self, folder: Path, number: int, read: Callable[[], Readings]) -> None:
        self._folder = folder
        self._number = number
        self._read = read
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer the others from now on."""
        self._server = await asyncio.start_unix_server(self._answer, self._path)

    async def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def read_all(self) -> dict[str, Readings]:
        """Return the readings of all workers by number; those that have ended or hang are left out."""
        numbers = sorted(int(path.stem) for path in self._folder.glob(f"*{_SUFFIX}"))
        others = [number for number in numbers if number != self._number]
        asked = await asyncio.gather(*(self._ask(number) for number in others))
        found = {number: readings for number, readings in zip(others, asked, strict=True) if readings is not None}
        found[self._number] = self._read()
        return {str(number): found[number] for number in sorted(found)}

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._number}{_SUFFIX}"

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(encode(self._read()))
            await writer.drain()
        writer.close()

    async def _ask(self, number: int) -> Readings | None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._folder / f"{number}{_SUFFIX}")
                try:
                    return decode(await reader.read(-1))
                finally:
                    writer.close()
        return None


def encode(readings: Readings) -> bytes:
    """Return readings as JSON."""
    return orjson.dumps([[name, [*map(_row, by_labels.items())]] for name, by_labels in readings.items()])


def decode(data: bytes) -> Readings:
    """
    Return readings of ``encode``.

    Raises:
        ValueError: They are cut off.
    """
    return {name: {tuple(labels): _value(value) for labels, value in rows} for name, rows in orjson.loads(data)}


def _row(entry: tuple[tuple[str, ...], Value]) -> list[Any]:
    labels, value = entry
    return [labels, [*value] if isinstance(value, HistogramReading) else value]


def _value(value: Any) -> float | HistogramReading:
    if isinstance(value, list):
        bounds, counts, total = value
        return HistogramReading(tuple(bounds), tuple(counts), total)
    return float(value)
