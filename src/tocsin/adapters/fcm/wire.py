"""What goes between the sender and its worker: a length of four bytes, then JSON."""

import asyncio
from typing import Any

import orjson

_LENGTH_BYTES = 4


def encode(frame: dict[str, Any]) -> bytes:
    """Return a frame as bytes."""
    body = orjson.dumps(frame)
    return len(body).to_bytes(_LENGTH_BYTES) + body


async def receive(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Return the next frame; None once the other side has gone."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        frame: dict[str, Any] = orjson.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return frame
