"""Origins over a real connection: security.md, "Origin"."""

import pytest

ALLOWED = "https://app.example.com"
INBOX = "/api/notifications"


@pytest.fixture(scope="module")
def server(start_shared_server):
    return start_shared_server(cors_origins=f"{ALLOWED},http://localhost:3000")


def fetch(server, origin, path=INBOX, method="GET", **headers):
    return server.http.request(method, path, headers=server.bearer(7) | {"Origin": origin} | headers)


def cors_headers(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "*",
        "https://app.example.com.evil.example",
        "https://app.example.com.",
        "https://evilapp.example.com",
        "https://sub.app.example.com",
        "https://example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com/",
        "https://app.example.com@evil.example",
        "https://evil.example#https://app.example.com",
        "https://app.example.com, https://evil.example",
        "https://\u0430pp.example.com".encode(),
        "file://",
    ],
)
def test_a_foreign_origin_gets_no_answer(server, origin):
    """Near misses of the allow-list are foreign: 403, no CORS header, nothing of the inbox."""
    answer = fetch(server, origin)

    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign_origin"
    assert cors_headers(answer) == {}
    assert "epoch" not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/", "/openapi.json", "/no/such/path"])
def test_the_rule_holds_for_every_path(server, path):
    """The origin is judged before anything else."""
    assert fetch(server, "https://evil.example", path).status_code == 403


def test_a_foreign_page_writes_nothing(server):
    """A foreign page with a stolen token changes nothing."""
    answer = server.http.post(
        INBOX,
        headers=server.bearer(1, "publish") | {"Origin": "https://evil.example"},
        json={"user_id": 7, "type": "t", "title": "t", "message": "m"},
    )

    assert answer.status_code == 403
    assert server.http.get(INBOX, headers=server.bearer(7)).json()["notifications"] == []


@pytest.mark.parametrize("origin", [ALLOWED, "http://localhost:3000", "https://APP.example.com"])
def test_a_listed_origin_is_answered_with_cors(server, origin):
    """A page on the allow-list may read the answer, and caches keep answers apart."""
    answer = fetch(server, origin)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in answer.headers


def test_refusals_reach_a_listed_page(server):
    """A page on the allow-list may read why it was refused."""
    answer = server.http.get(INBOX, headers={"Origin": ALLOWED})

    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == ALLOWED


def test_preflight_of_a_listed_origin(server):
    """The browser is told which methods and headers it may use."""
    answer = fetch(server, ALLOWED, method="OPTIONS", **{"Access-Control-Request-Method": "PUT"})

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ALLOWED
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    assert "idempotency-key" in answer.headers["access-control-allow-headers"].lower()


def test_preflight_of_a_foreign_origin(server):
    """A foreign page's preflight gets no CORS header."""
    answer = fetch(server, "https://evil.example", method="OPTIONS", **{"Access-Control-Request-Method": "PUT"})

    assert answer.status_code == 403
    assert cors_headers(answer) == {}


def test_the_own_origin_needs_no_list(shared_server):
    """A page that this server served itself is answered, without CORS headers."""
    answer = fetch(shared_server, shared_server.url)

    assert answer.status_code == 200
    assert cors_headers(answer) == {}


@pytest.mark.parametrize("change", ["scheme", "port", "null"])
def test_almost_the_own_origin_is_foreign(shared_server, change):
    """Another scheme or port is another origin."""
    scheme, _, address = shared_server.url.partition("://")
    host, _, port = address.partition(":")
    origin = {"scheme": f"https://{address}", "port": f"{scheme}://{host}:{int(port) + 1}", "null": "null"}[change]

    assert fetch(shared_server, origin).status_code == 403


def test_a_proxy_tells_the_public_origin(shared_server):
    """Behind a trusted proxy the own origin is the one that the browser sees."""
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "bell.example.com"}

    assert fetch(shared_server, "https://bell.example.com", **forwarded).status_code == 200
    assert fetch(shared_server, shared_server.url, **forwarded).status_code == 403


def test_nobody_else_tells_the_public_origin(start_server):
    """Forwarding headers of an address that is no proxy are not believed."""
    server = start_server(trusted_proxies="10.9.9.9")

    assert (
        fetch(
            server, "https://evil.example", **{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        ).status_code
        == 403
    )


def test_requests_without_origin_are_no_pages(server):
    """A back end sends no Origin and is not asked for one."""
    assert server.http.get(INBOX, headers=server.bearer(7)).status_code == 200


def test_two_origins_are_refused(server):
    """Which of two origins counts would be anybody's guess."""
    answer = server.http.get(INBOX, headers=[*server.bearer(7).items(), ("Origin", ALLOWED), ("Origin", ALLOWED)])

    assert answer.status_code == 403
