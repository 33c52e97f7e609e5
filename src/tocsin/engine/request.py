"""
The HTTP request that asks for a session: parsing and judging it, without I/O.

Serves the WebSocket handshake, which comes as bytes or from ASGI, and polling,
which comes from ASGI. What an accepted request leads to lives in
``engine_server.py``.
"""

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Final

Scope = MutableMapping[str, Any]
"""Of one ASGI request (ASGI, "HTTP & WebSocket")."""


class Refused(Exception):
    """
    A request that gets no session, with the answer it gets instead.

    Attributes:
        status: HTTP status.
        code: Engine.IO error code of the Node server, for clients that log it.
        message: Why; never echoes input.
        label: Name of the counter of such refusals.
        retry_after_s: Seconds for ``Retry-After``; 0 sends none.
    """

    def __init__(self, status: int, code: int, message: str, label: str, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.label = label
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> bytes:
        """JSON body of the answer."""
        return b'{"code":%d,"message":"%b"}' % (self.code, self.message.encode())


UNKNOWN_TRANSPORT: Final = 0
UNKNOWN_SID: Final = 1
BAD_METHOD: Final = 2
BAD_REQUEST: Final = 3
FORBIDDEN: Final = 4
UNSUPPORTED_VERSION: Final = 5

# A line feed or NUL inside of a field would be its end to some other parser, and another field to it.
_HEAD: Final = re.compile(
    rb"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
)


@dataclass(slots=True)
class Request:
    """
    What matters of one HTTP request.

    Attributes:
        method: Upper case.
        path: Without query, not percent-decoded.
        query: Last value of each name, not percent-decoded; ours need no decoding.
        headers: By lower-case name; values of a repeated one are joined with commas,
            which makes a repeated ``Origin`` or ``Host`` match nothing.
        peer: Host at the other end of the TCP connection; empty on a Unix socket.
        scheme: ``http`` or ``https`` of this connection.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    peer: str
    scheme: str


def parse_query(text: str) -> dict[str, str]:
    """Split a query string; the names and values that matter to us are never escaped."""
    query = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        query[name] = value
    return query


def parse_head(data: bytes, peer: str, scheme: str) -> Request:
    """
    Parse the head of an HTTP/1.1 request (RFC 9112, sections 3 and 5).

    Args:
        data: From the method to the empty line, both included.
        peer: See ``Request``.
        scheme: See ``Request``.

    Raises:
        Refused: It is not one.
    """
    if _HEAD.fullmatch(data) is None:
        raise Refused(400, BAD_REQUEST, "Bad request", "bad_request")
    start, *lines = data.decode("latin-1").split("\r\n")
    method, target, _ = start.split(" ")
    headers: dict[str, str] = {}
    for line in lines[:-2]:
        name, _, value = line.partition(":")
        name = name.lower()
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path, _, query = target.partition("?")
    return Request(method, path, parse_query(query), headers, peer, scheme)


def parse_scope(scope: Scope) -> Request:
    """Return what matters of an HTTP or WebSocket scope."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = scope.get("client")
    scheme: str = scope.get("scheme") or "http"
    return Request(
        method=scope.get("method", "GET"),
        path=scope["path"],
        query=parse_query(scope["query_string"].decode("latin-1")),
        headers=headers,
        peer=client[0] if client else "",
        scheme={"ws": "http", "wss": "https"}.get(scheme, scheme),
    )


def check_size(scope: Scope, max_bytes: int) -> None:
    """Raise Refused when the head of a request is too big."""
    size = len(scope["query_string"]) + sum(len(name) + len(value) for name, value in scope["headers"])
    if size > max_bytes:
        raise Refused(431, BAD_REQUEST, "Request head too big", "header")


def check_websocket(request: Request) -> bytes:
    """
    Check the opening handshake (RFC 6455, section 4.2.1); return its key.

    Raises:
        Refused: It is not one.
    """
    headers = request.headers
    if (
        request.method != "GET"
        or headers.get("upgrade", "").lower() != "websocket"
        or "upgrade" not in headers.get("connection", "").lower()
        # Two of them, joined, have a space (RFC 9112, section 3.2: refused).
        or " " in headers.get("host", " ")
        or "content-length" in headers
        or "transfer-encoding" in headers
    ):
        raise Refused(400, BAD_REQUEST, "Bad request", "bad_request")
    if headers.get("sec-websocket-version") != "13":
        raise Refused(426, BAD_REQUEST, "Unsupported WebSocket version", "bad_request")
    return headers.get("sec-websocket-key", "").encode("latin-1")
