"""HTTP itself gone wrong, over a connection that is written byte by byte."""

import httpx
import pytest

from tocsin.rest import endpoint


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /api/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /api/notifications HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_broken_http_is_answered_400_or_cut(shared_server, request_bytes):
    """Broken or boundless HTTP ends its own connection; the next client notices nothing."""
    answer = shared_server.raw(request_bytes)

    assert answer == b"" or answer.split(b" ", 2)[1] in {b"400", b"404", b"413", b"431"}
    assert shared_server.http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/api/notifications", "/api/notifications/nothing", "/docs", "/nowhere"]
)
def test_head_answers_as_get_without_a_body(shared_server, path):
    """Monitors and `wget --spider` ask so; every resource has it (RFC 9110, 9.1)."""
    headers = shared_server.bearer("header", "admin")
    head, get = (shared_server.http.request(method, path, headers=headers) for method in ("HEAD", "GET"))

    assert (get.status_code, get.headers["content-type"]) == (head.status_code, head.headers["content-type"])
    assert b"" == head.content
    assert 405 != head.status_code


def test_the_server_survives_a_client_that_leaves(shared_server):
    """A client that hangs up in the middle of a body costs nothing."""
    head = b"POST /api/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"

    assert b" 500 " not in shared_server.raw(head, hang_up=True)
    assert httpx.get(f"{shared_server.url}/healthz").status_code == 200


@pytest.mark.parametrize("sent", [b"", b"{"])
def test_a_body_that_never_comes_is_not_waited_for(server, monkeypatch, sent):
    """A client that dribbles its body is answered 408 and cut."""
    monkeypatch.setattr(endpoint, "BODY_DEADLINE_S", 0.1)
    answer = server.raw(b"POST /api/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" + sent)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer
    assert b"request_timeout" in answer
