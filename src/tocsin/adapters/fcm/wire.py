"""What goes between the sender and its worker: a length of four bytes, then a JSON list of messages."""

import asyncio
from typing import Any

import orjson

_LENGTH_BYTES = 4


class Outgoing:
    """
    Sends messages, all that come within a moment as one frame: a thousand a second would be as many wake-ups.

    Belongs to the event loop's thread.

    Args:
        writer: Where to.
        gather_s: How long the first may wait for others; 0: until the loop's next turn.
    """

    def __init__(self, writer: asyncio.StreamWriter, gather_s: float = 0.0) -> None:
        self._writer = writer
        self._gather_s = gather_s
        self._loop = asyncio.get_running_loop()
        self._messages: list[orjson.Fragment] = []

    def put(self, message: dict[str, Any]) -> None:
        """
        Send soon; to nobody once the other side has gone. Dataclasses are sent as objects.

        Raises:
            TypeError: It can't be said in JSON; the others of its frame are not disturbed.
        """
        encoded = orjson.Fragment(orjson.dumps(message))
        if not self._messages:
            self._loop.call_later(self._gather_s, self._flush)
        self._messages.append(encoded)

    def _flush(self) -> None:
        messages, self._messages = self._messages, []
        if not self._writer.is_closing():
            body = orjson.dumps(messages)
            self._writer.write(len(body).to_bytes(_LENGTH_BYTES) + body)


async def receive(reader: asyncio.StreamReader) -> list[dict[str, Any]]:
    """Return the messages of the next frame; none once the other side has gone."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        messages: list[dict[str, Any]] = orjson.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return []
    return messages
