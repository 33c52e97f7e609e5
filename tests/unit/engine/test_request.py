"""Parsing the head of an upgrade request."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.request import Refused, check_websocket, parse_head, parse_query

HEAD = (
    b"GET /socket.io/?EIO=4&transport=websocket&sid=a%20b HTTP/1.1\r\n"
    b"Host: api.example\r\n"
    b"UPGRADE:  WebSocket \r\n"
    b"Connection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)


def test_a_head_is_taken_apart():
    """Method, path, query and headers; names are lower case, values stripped."""
    request = parse_head(HEAD, "203.0.113.5", "http")

    assert ("GET", "/socket.io/") == (request.method, request.path)
    assert {"EIO": "4", "transport": "websocket", "sid": "a%20b"} == request.query
    assert "WebSocket" == request.headers["upgrade"]
    assert b"dGhlIHNhbXBsZSBub25jZQ==" == check_websocket(request)


def test_repeated_headers_are_joined():
    """A repeated Host or Origin becomes a value that matches nothing."""
    request = parse_head(HEAD.replace(b"UPGRADE", b"Host: evil.example\r\nUPGRADE"), "", "http")

    assert "api.example, evil.example" == request.headers["host"]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nname : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n",
        b"GET / HTTP/1.1\r\nA: b\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA(b): c\r\n\r\n",
        b"GET /\x80 HTTP/1.1\r\nA: b\r\n\r\n",
        b"GET /\x0b HTTP/1.1\r\nA: b\r\n\r\n",
        b"GET\0 / HTTP/1.1\r\nA: b\r\n\r\n",
    ],
)
def test_what_is_no_head_is_refused(head):
    """RFC 9112 is kept strictly: no folding, no byte that another parser takes for the end of a field."""
    with pytest.raises(Refused) as refused:
        parse_head(head, "", "http")

    assert 400 == refused.value.status


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data):
    """No input raises anything else."""
    with suppress(Refused):
        assert parse_head(data, "", "http").method
    with suppress(Refused):
        assert parse_head(b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n", "", "http").path == "/"


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"GET", b"POST", 400),
        (b"WebSocket", b"h2c", 400),
        (b"keep-alive, Upgrade", b"close", 400),
        (b"Host: api.example\r\n", b"", 400),
        (b"Host: api.example\r\n", b"Host: api.example\r\n" * 2, 400),
        (b"Version: 13", b"Version: 8", 426),
        (b"Host:", b"Content-Length: 3\r\nHost:", 400),
        (b"Host:", b"Transfer-Encoding: chunked\r\nHost:", 400),
    ],
)
def test_what_is_no_handshake_is_refused(old, new, status):
    """RFC 6455, section 4.2.1."""
    with pytest.raises(Refused) as refused:
        check_websocket(parse_head(HEAD.replace(old, new, 1), "", "http"))

    assert status == refused.value.status


def test_queries():
    """The last of several values counts; what has none is empty."""
    assert {"a": "2", "b": "", "": ""} == parse_query("a=1&b&a=2&")
