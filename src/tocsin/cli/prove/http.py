"""
As much HTTP/1.1 as a producer needs: one connection, one request at a time.

A fault must show as a fault: nothing is retried and nothing followed here.
"""

import asyncio
from typing import Any, NamedTuple

import orjson

from tocsin.cli.prove.route import Address, Route

TIMEOUT_S = 30.0


class HttpError(Exception):
    """No whole answer came; whether the request was carried out is unknown."""


class Answer(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return orjson.loads(self.body)


class Http:
    """
    A connection that opens itself when needed; belongs to one event loop.

    After a failure the next request goes to the next node of the route.
    """

    def __init__(self, route: Route) -> None:
        self._route = route
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def address(self) -> Address:
        """Return the node that it talks to."""
        return self._route.address

    async def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """
        Send a request and return its answer.

        Args:
            method: Of HTTP.
            path: With its query.
            body: Bytes as they are, None for nothing, anything else as JSON.
            headers: Further ones.

        Raises:
            HttpError: No whole answer came within TIMEOUT_S.
        """
        host, port = self._route.address
        payload = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(payload)}"]
        if body is not None:
            kind = "text/plain;charset=UTF-8" if isinstance(body, bytes) else "application/json"
            lines.append(f"Content-Type: {kind}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(host, port)
                reader, writer = self._streams
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
                await writer.drain()
                return await self._read(reader)
        except (OSError, EOFError, ValueError, asyncio.IncompleteReadError) as error:
            self.turn()
            raise HttpError(str(error)) from error

    async def _read(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers["content-length"])) if "content-length" in headers else b""
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(head[0].split(" ")[1]), body)

    def turn(self) -> None:
        """Go to the next node from now on."""
        self.close()
        self._route.turn()

    def go_home(self) -> None:
        """Go back to the node that is tried first."""
        if not self._route.is_home:
            self.close()
            self._route.go_home()

    def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
