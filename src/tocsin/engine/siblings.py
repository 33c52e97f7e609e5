"""
Several server processes on one port: how a request gets to the one whose session it is for.

A session's id names its process. A polling request is passed on over a Unix
socket and its answer passed back; a WebSocket is handed over with its TCP
connection, so that nobody stands between from then on. How requests are judged
and answered lives in ``polling.py`` and ``upgrade.py``.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tocsin.engine import request as rq
from tocsin.engine.polling import Message, Receive, Send
from tocsin.engine.request import Refused, Scope

_MAX_HEAD: Final = 65_536
# Of one connection, or the receiver's own server adds them (RFC 9110, 7.6.1).
_ONE_HOP: Final = {b"connection", b"keep-alive", b"te", b"transfer-encoding", b"upgrade", b"expect", b"date", b"server"}

TakeOver = Callable[[socket.socket, bytes], None]
"""Gets a TCP connection, which is the callee's from then on, and what was read of it."""


class Siblings:
    """
    The server processes on one port, known by their numbers. Belongs to one event loop.

    Args:
        folder: Where their Unix sockets are; only their user may enter it.
        number: This process's, which no other has had.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self._folder = folder
        self._handed: socket.socket | None = None

    def sid(self, token: str) -> str:
        """Return the id of a session of this process."""
        return f"{self.number}.{token}"

    def owner(self, sid: str) -> int | None:
        """Return whose session it is; None: this process's, or nobody's."""
        number, dot, _ = sid.partition(".")
        # Ours to write: whatever else stands there names no file.
        if not dot or not number.isascii() or not number.isdigit() or len(number) > 9 or int(number) == self.number:
            return None
        return int(number)

    # Polling: passed on.

    def listen(self) -> socket.socket:
        """Return the socket at which this process answers what the others pass on, for its HTTP server."""
        return _listen(self._path(self.number, "http"))

    async def forward(self, owner: int, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Let another process answer a polling request; its client may hang up meanwhile.

        Raises:
            Refused: That process is no more, and the session with it.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(self._path(owner, "http"), limit=_MAX_HEAD)
        except OSError:
            raise _gone() from None
        asking = asyncio.create_task(_ask(scope, receive, writer))
        try:
            answer = await _read_answer(reader)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            if asking.done():
                return  # nobody is there to be answered
            raise _gone() from None
        finally:
            asking.cancel()
            writer.transport.abort()
        for message in answer:
            await send(message)

    # WebSocket: handed over.

    def hand_over(self, owner: int, connection: int, data: bytes) -> None:
        """
        Give a TCP connection away; the caller closes its own file descriptor of it.

        Args:
            owner: Who gets it.
            connection: Its file descriptor.
            data: What was read of it.

        Raises:
            Refused: That process is no more, or takes nothing; nothing was given.
        """
        with socket.socket(socket.AF_UNIX) as line:
            line.setblocking(False)
            try:
                line.connect(str(self._path(owner, "tcp")))
                # A request head fits into the buffer of a fresh socket: nothing waits here.
                if socket.send_fds(line, [data], [connection]) != len(data):
                    raise _gone()
            except OSError:
                raise _gone() from None

    def take(self, take_over: TakeOver) -> None:
        """Let connections that the others give away be taken over from now on."""
        self._handed = _listen(self._path(self.number, "tcp"))
        asyncio.get_running_loop().add_reader(self._handed, self._accept, take_over)

    def close(self) -> None:
        """Take nothing more."""
        if self._handed is not None:
            asyncio.get_running_loop().remove_reader(self._handed)
            self._handed.close()
            self._handed = None

    def _accept(self, take_over: TakeOver) -> None:
        assert self._handed is not None
        with contextlib.suppress(OSError):
            line, _ = self._handed.accept()
            line.setblocking(False)
            asyncio.get_running_loop().add_reader(line, _Parcel(line, take_over).read)

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number}.{kind}"


class _Parcel:
    """One connection on its way in: its descriptor, and what was read of it until the line's end."""

    def __init__(self, line: socket.socket, take_over: TakeOver) -> None:
        self._line = line
        self._take_over = take_over
        self._data = b""
        self._connection: socket.socket | None = None

    def read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._line, _MAX_HEAD, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        self._data += data
        for descriptor in descriptors:
            self._connection = socket.socket(fileno=descriptor)
        if data:
            return
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()
        if self._connection is not None:
            self._take_over(self._connection, self._data)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1_024)
    listener.setblocking(False)
    return listener


def _gone() -> Refused:
    return Refused(400, rq.UNKNOWN_SID, "Session ID unknown", "sid")


async def _ask(scope: Scope, receive: Receive, writer: asyncio.StreamWriter) -> None:
    """Write the request as its body comes in; hang up when the client does."""
    target = scope["path"].encode() + b"?" + scope["query_string"]
    headers = [(name, value) for name, value in scope["headers"] if name not in _ONE_HOP]
    is_sized = any(name == b"content-length" for name, _ in headers) or scope["method"] != "POST"
    headers += [(b"connection", b"close")] + ([] if is_sized else [(b"transfer-encoding", b"chunked")])
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    writer.write(scope["method"].encode() + b" " + target + b" HTTP/1.1\r\n" + fields + b"\r\n")
    with contextlib.suppress(OSError):
        while (message := await receive())["type"] != "http.disconnect":
            body = message.get("body", b"")
            if body:
                writer.write(body if is_sized else b"%x\r\n%b\r\n" % (len(body), body))
            if not is_sized and not message.get("more_body", False):
                writer.write(b"0\r\n\r\n")
            await writer.drain()
        writer.transport.abort()


async def _read_answer(reader: asyncio.StreamReader) -> tuple[Message, Message]:
    """Return the whole answer as ASGI has it; the others' HTTP server says its length."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head[:-4].split(b"\r\n")
    fields = [line.partition(b": ") for line in lines]
    headers = [(name.lower(), value) for name, _, value in fields if name.lower() not in _ONE_HOP]
    length = int(dict(headers).get(b"content-length", b"0"))
    body = await reader.readexactly(length)
    start = {"type": "http.response.start", "status": int(status.split(b" ")[1]), "headers": headers}
    return start, {"type": "http.response.body", "body": body}
