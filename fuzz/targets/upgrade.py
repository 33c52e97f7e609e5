"""
The recogniser of upgrade requests: what it accepts, httptools and h11 read alike.

A request that two parsers read in two ways is how a proxy in front is deceived.
"""

from dataclasses import dataclass, field

import h11
import httptools

from fuzz.reading import Reading
from fuzz.target import Target
from tocsin.engine.frames import accept_key
from tocsin.engine.request import Refused, Request, check_websocket, parse_head, parse_query

_LINES = (
    *(b"Host: api.example", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"),
    *(
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Origin: https://shop.example",
        b"Connection: keep-alive, Upgrade",
    ),
    *(b"Content-Length: 0", b"Transfer-Encoding: chunked", b"X-Forwarded-For: 1.2.3.4", b" folded", b"A:b", b""),
)
GOOD = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" + b"\r\n".join(_LINES[:5]) + b"\r\n\r\n"


@dataclass
class Parsed:
    """What another parser made of a head."""

    method: bytes = b""
    target: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)


class _Callbacks:
    def __init__(self) -> None:
        self.parsed = Parsed()
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.parsed.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.parsed.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def by_httptools(head: bytes) -> Parsed | None:
    """Return what httptools reads, as uvicorn uses it; None where it refuses."""
    callbacks = _Callbacks()
    parser = httptools.HttpRequestParser(callbacks)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return None
    if not callbacks.is_complete:
        return None
    callbacks.parsed.method = parser.get_method()
    return callbacks.parsed


def by_h11(head: bytes) -> Parsed | None:
    """Return what h11 reads; None where it refuses."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    return Parsed(event.method, event.target, [(name, value) for name, value in event.headers])


def _joined(parsed: Parsed) -> dict[str, str]:
    fields: dict[str, str] = {}
    for raw_name, raw_value in parsed.fields:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip(" \t")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _is_alike(request: Request, parsed: Parsed) -> bool:
    path, _, query = parsed.target.decode("latin-1").partition("?")
    told = (request.method, request.path, request.query, request.headers)
    return told == (parsed.method.decode(), path, parse_query(query), _joined(parsed))


def _head(reading: Reading) -> bytes:
    if reading.flag():
        return reading.rest()
    start, lines = GOOD.split(b"\r\n")[0], list(_LINES[:5])
    while not reading.is_over:
        place = reading.byte() % (len(lines) + 1)
        style = reading.byte()
        more = _LINES[style >> 2 & 0x3F] if style >> 2 & 0x3F < len(_LINES) else reading.chunk()
        if style & 3 == 0:
            lines.insert(place, more)
        elif style & 3 == 1 and place < len(lines):
            lines[place] += more
        elif style & 3 == 2 and place < len(lines):
            del lines[place]
        else:
            start = start[: place * 8] + more + start[place * 8 :]
    return start + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def run(data: bytes) -> None:
    """Read a head; where it is accepted as an upgrade, let others read it."""
    whole = _head(Reading(data))
    # The door cuts at the first empty line; a head without one never gets here.
    head = whole[: whole.find(b"\r\n\r\n") + 4]
    try:
        request = parse_head(head, "203.0.113.5", "http")
        key = check_websocket(request)
        accept_key(key)
    except (Refused, ValueError):
        return
    for parsed in (by_httptools(head), by_h11(head)):
        assert parsed is not None, "another parser refuses it"
        assert _is_alike(request, parsed), "another parser reads something else"


TARGET = Target(
    run=run,
    watched=["tocsin.engine.request"],
    seeds=[
        b"\x01" + GOOD,
        b"\x00",
        b"\x00\x00\x14",
        b"\x00\x02\x20\x01\x1c\x03\xff\x05X: \x0by",
        b"\x00\x00\xfd\x03\r\nA",
        b"\x01" + GOOD.replace(b"Host: ", b"HOST:\t").replace(b"api", b"api\nA: b"),
    ],
    words=[
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b"\x0b",
        b": ",
        b"Content-Length",
        b"Transfer-Encoding: chunked",
        b"HTTP/1.1",
        b"\xff",
    ],
)
