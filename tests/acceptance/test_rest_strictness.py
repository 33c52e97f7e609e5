"""Bad input over a real connection: security.md, "REST"."""

import json

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INBOX = "/api/notifications"
GOOD = {"user_id": 7, "type": "t", "title": "t", "message": "m"}
SURROGATE = b'"\\ud800"'


def post(server, content, content_type="application/json", path=INBOX, **headers):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    headers = server.bearer("back end", "publish") | {"Content-Type": content_type} | headers
    return server.http.post(path, headers=headers, content=content)


def assert_problem(answer, *statuses):
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert {"type", "title", "code", "detail", "retryable"} <= problem.keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": True},
        {"user_id": 7.0},
        {"user_id": []},
        {"user_id": {}},
        {"user_id": ""},
        {"user_id": "x" * 129},
        {"user_id": "a\u0000b"},
        {"user_id": "a\u202eb"},
        {"user_ids": [7]},
        {"user_ids": None},
        {"user_id": None},
        {"user_id": None, "user_ids": []},
        {"user_id": None, "user_ids": [True]},
        {"user_id": None, "user_ids": "7"},
        {"user_id": None, "user_ids": list(range(50_001))},
        {"type": ""},
        {"type": 1},
        {"type": None},
        {"type": "t" * 65},
        {"title": ""},
        {"title": ["t"]},
        {"title": "t" * 201},
        {"title": "\u0000"},
        {"message": 1},
        {"message": None},
        {"message": "m" * 4001},
        {"data": []},
        {"data": "{}"},
        {"data": None},
        {"category": 1},
        {"category": ""},
        {"priority": "HIGH"},
        {"priority": 1},
        {"sound": "s" * 129},
        {"expires_at": "tomorrow"},
        {"expires_at": 1_900_000_000},
        {"expires_at": "2099-01-01"},
        {"expires_at": "2099-01-01T00:00:00"},
        {"expires_at": "99999-01-01T00:00:00Z"},
        {"expires_at": "0001-01-01T00:00:00+23:59"},
        {"ttl_s": 0},
        {"ttl_s": -1},
        {"ttl_s": 1.5},
        {"ttl_s": "60"},
        {"ttl_s": True},
        {"ttl_s": 10**12},
        {"ttl_s": 60, "expires_at": "2099-01-01T00:00:00Z"},
        {"topic": "news"},
        {"collapse_key": ""},
        {"collapse_key": "k" * 129},
        {"group": "likes"},
        {"group": {"key": "likes", "count": 12}},
        {"group": {"key": "likes", "actor": {"name": "Mina"}}},
        {"deliver_at": "tomorrow"},
        {"claimable": 1},
        {"claimable": True, "collapse_key": "k"},
        {"claimable": True, "group": {"key": "k"}},
        {"claimed_by": 7},
        {"snoozed_until": "2099-01-01T00:00:00Z"},
        {"template": ""},
        {"params": []},
        {"__proto__": {}},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_wrong_field_is_refused_by_name(shared_server, changes):
    """Wrong types, unknown fields and what is too long: 422, and the detail names the field."""
    body = {name: value for name, value in (GOOD | changes).items() if value is not None or name != "user_id"}
    answer = post(shared_server, body)

    assert_problem(answer, 422)
    assert any(name in answer.json()["detail"] for name in [*changes, "user_id"])


def test_an_integer_is_kept_exactly_or_refused(shared_server):
    """Beyond 64 bits it would come out as another number."""
    longest = {"n": [2**64 - 1, -(2**63)], "text": "1" * 40}

    assert post(shared_server, GOOD | {"data": longest}).json()["data"] == longest
    for wrong in ({"data": {"n": {"deep": [2**64]}}}, {"user_id": 10**100}):
        answer = post(shared_server, GOOD | wrong)
        assert_problem(answer, 422)
        assert "send it as a string" in answer.json()["detail"]


@pytest.mark.parametrize("body", [[], [GOOD], "text", 1, None, True])
def test_a_body_that_is_no_object_is_refused(shared_server, body):
    """A body of another JSON type is 422."""
    assert_problem(post(shared_server, body), 422)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{'user_id':7}",
        b'{"user_id":7,}',
        b"\xff\xfe{}",
        b'\xef\xbb\xbf{"user_id":7}',
        b'{"title":"\xed\xa0\x80"}',
        b'{"title":"\xc3"}',
        b'{"title":' + SURROGATE + b"}",
        b'{"title":"\\udc00\\ud800"}',
        b'{"title":"a\nb"}',
        b'{"data":{"x":NaN}}',
        b'{"data":{"x":Infinity}}',
        b'{"data":{"x":-Infinity}}',
        b'{"data":{"x":1e999}}',
        b'{"user_id":00}',
        b'{"user_id":0x7}',
        b"{}{}",
        b"[" * 100_000,
        b'{"data":' + b'{"a":' * 2_000 + b"1" + b"}" * 2_001,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_what_is_no_json_is_malformed(shared_server, content):
    """Broken JSON, NaN, lone surrogates, bad UTF-8 and endless nesting: 400."""
    assert_problem(post(shared_server, content), 400)


def test_deep_nesting_is_refused(shared_server):
    """JSON that can be read and is nested beyond 64 levels: 422."""
    data = {"a": 1}
    for _ in range(100):
        data = {"a": data}

    assert_problem(post(shared_server, GOOD | {"data": data}), 422)


def test_wide_data_is_no_deep_data(shared_server):
    """Many brackets beside each other are fine."""
    answer = post(shared_server, GOOD | {"data": {"rows": [[number] for number in range(500)]}})

    assert answer.status_code == 201


def test_the_last_of_duplicate_keys_counts(shared_server):
    """Duplicate keys are legal JSON; the last one counts, once for all readers."""
    answer = post(shared_server, b'{"user_id":8,"user_id":9,"type":"t","title":"a","title":"b","message":"m"}')

    assert (answer.json()["user_id"], answer.json()["title"]) == (9, "b")


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_another_content_type_is_refused(shared_server, content_type):
    """A form of a foreign page can't pass for JSON."""
    assert_problem(post(shared_server, GOOD, content_type), 415)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, gzip"])
def test_a_compressed_body_is_refused(shared_server, encoding):
    """No body is decompressed, so none can explode."""
    assert_problem(post(shared_server, GOOD, **{"Content-Encoding": encoding}), 415)


def test_an_utf8_charset_is_fine(shared_server):
    """The content type may name its charset."""
    assert post(shared_server, GOOD, "application/json; charset=utf-8").status_code == 201


def test_an_oversize_body_is_refused(shared_server):
    """More than 1 MB is refused, with a Content-Length and without one."""
    head = shared_server.bearer("b", "publish") | {"Content-Type": "application/json"}
    content = json.dumps(GOOD | {"message": "m" * 1_100_000}).encode()
    declared = shared_server.http.post(INBOX, headers=head, content=content)
    chunked = shared_server.http.post(INBOX, headers=head, content=iter([content]))

    assert_problem(declared, 413)
    assert_problem(chunked, 413)
    assert "transfer-encoding" in chunked.request.headers


def test_oversize_data_is_refused(shared_server):
    """Data beyond 16 KiB (a notification's) or 64 KiB (an event's) is refused."""
    event = {"namespace": "/orders", "event": "order_updated", "user_id": 7, "data": {"x": "x" * 66_000}}

    assert_problem(post(shared_server, GOOD | {"data": {"x": "x" * 17_000}}), 413)
    assert_problem(post(shared_server, event, path="/api/events"), 413)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=ten",
        "limit=1e1",
        "limit=" + "9" * 5000,
        "limit=",
        "unread=maybe",
        "cursor=",
        "cursor=AAAA",
        "cursor=%2e%2e%2f",
        "cursor=" + "A" * 11,
        "cursor=__________8",
        "offset=1",
        "archived=true&snoozed=true",
        "archived=2",
        "limit=1&limit=2",
        "category=" + "c" * 65,
    ],
)
def test_a_wrong_query_is_refused(shared_server, query):
    """A query with an unknown, repeated or impossible parameter is 422."""
    answer = shared_server.http.get(f"{INBOX}?{query}", headers=shared_server.bearer(7))

    assert_problem(answer, 422)


@pytest.mark.parametrize("query", ["category=%ff", "type=%ed%a0%80"])
def test_a_query_that_is_no_utf8_is_malformed(shared_server, query):
    """Percent-encoded bytes must be UTF-8."""
    assert_problem(shared_server.http.get(f"{INBOX}?{query}", headers=shared_server.bearer(7)), 400)


@pytest.mark.parametrize("query", ["after=-1", "after=9007199254740992", "after=" + "9" * 400, "limit=1001", "after=x"])
def test_a_wrong_stream_query_is_refused(shared_server, query):
    """A seq is an integer from 0 to 2^53 - 1."""
    assert_problem(shared_server.http.get(f"/api/stream/sns?{query}", headers=shared_server.bearer(7)), 422)


@pytest.mark.parametrize("identity", ["0", "%00", "%ff", "%2e%2e", "a" * 3000, "' OR 1=1 --", "%F0%9F%94%94", "{id}"])
def test_a_strange_id_is_a_missing_one(shared_server, identity):
    """No id breaks a route."""
    answer = shared_server.http.get(f"{INBOX}/{identity}", headers=shared_server.bearer(7))

    assert_problem(answer, 404)


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel".encode(), b"a\tb"])
def test_a_wrong_idempotency_key_is_refused(shared_server, key):
    """A key has 1 to 255 printable ASCII characters."""
    assert_problem(post(shared_server, GOOD, **{"Idempotency-Key": key}), 400)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", INBOX, {"GET", "HEAD", "POST"}),
        ("POST", f"{INBOX}/1", {"GET", "DELETE"}),
        ("GET", f"{INBOX}/1/read", {"PUT"}),
        ("DELETE", "/healthz", {"GET", "HEAD"}),
        ("TRACE", "/api/events", {"POST"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(shared_server, method, path, allowed):
    """405 names every method of the path (RFC 9110, 15.5.6)."""
    answer = shared_server.http.request(method, path, headers=shared_server.bearer(7))

    assert_problem(answer, 405)
    assert allowed <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api",
        "/api/",
        f"{INBOX}/",
        "/api/stream/nope",
        "/api/stream/%2Fsns",
        "/js/../../etc/passwd",
        "/js/%2e%2e/%2e%2e/py.typed",
        "//etc/passwd",
    ],
)
def test_an_unknown_path_is_missing(shared_server, path):
    """What is not there is a 404 as any other, whatever the path tries."""
    assert_problem(shared_server.http.get(path, headers=shared_server.bearer(7)), 404)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "'; DROP TABLE notification; --",
        "알림 🔔 تنبيه \u202eevil",
        "line\nline\ttab",
        "{{7*7}} ${7*7} %s %(x)s",
    ],
)
def test_text_is_stored_verbatim(shared_server, text):
    """Titles and messages come back exactly as they were given, from the inbox and from the stream."""
    created = post(
        shared_server, GOOD | {"user_id": "verbatim", "title": text, "message": text, "data": {text: text}}
    ).json()
    reader = shared_server.bearer("verbatim")
    stored = shared_server.http.get(f"{INBOX}/{created['id']}", headers=reader).json()
    event = shared_server.http.get("/api/stream/notifications", headers=reader).json()["events"][-1]["data"]

    for seen in (created, stored, event):
        assert (seen["title"], seen["message"], seen["data"]) == (text, text, {text: text})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
_FIELDS = [
    "user_id",
    "user_ids",
    "type",
    "title",
    "message",
    "data",
    "category",
    "priority",
    "sound",
    "expires_at",
    "ttl_s",
]


@given(changes=st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=5), _JSON, max_size=3))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_the_server_fail(shared_server, changes):
    """Whatever JSON is posted, the answer is a success or a client's error."""
    try:
        content = orjson.dumps(GOOD | changes)
    except orjson.JSONEncodeError:
        content = json.dumps(GOOD | changes).encode()
    answer = post(shared_server, content)

    assert answer.status_code in {201, 202, 400, 413, 422}


@given(content=st.binary(max_size=200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_server_fail(shared_server, content):
    """Whatever bytes are posted, the answer is a client's error."""
    assert_problem(post(shared_server, content), 400, 422)
