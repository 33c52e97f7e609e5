"""Idempotency keys over a real connection: delivery.md 7, and fault 9 of its table."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

INBOX = "/api/notifications"
BODY = {"type": "t", "title": "t", "message": "m"}
_users = itertools.count(1)


@pytest.fixture
def user():
    return f"user {next(_users)}"


def post(server, key, body, path=INBOX, caller="back end"):
    return server.http.post(path, headers=server.bearer(caller, "publish") | {"Idempotency-Key": key}, json=body)


def state(server, user, namespace="notifications"):
    headers = server.bearer(user)
    listed = server.http.get(INBOX, headers=headers).json()["notifications"]
    events = server.http.get(f"/api/stream/{namespace}", headers=headers).json()["events"]
    return len(listed), [event["event"] for event in events]


def test_twenty_posts_at_once_are_one(shared_server, user):
    """20 identical POSTs at once with one key: one row, one event, the same id for all."""
    headers = shared_server.bearer("back end", "publish") | {"Idempotency-Key": f"twenty {user}"}
    limits = httpx.Limits(max_connections=20)
    with (
        httpx.Client(base_url=shared_server.url, limits=limits, trust_env=False) as client,
        ThreadPoolExecutor(20) as pool,
    ):
        jobs = [pool.submit(client.post, INBOX, headers=headers, json=BODY | {"user_id": user}) for _ in range(20)]
        answers = [job.result() for job in jobs]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert state(shared_server, user) == (1, ["notification"])


@pytest.mark.parametrize("recipients", [{"user_id": "A"}, {"user_ids": ["A", "B"]}])
def test_a_repeat_gets_the_first_answer(shared_server, user, recipients):
    """The same request under the same key is answered as the first time, byte for byte."""
    body = BODY | {
        name: f"{value} {user}" if name == "user_id" else [f"{one} {user}" for one in value]
        for name, value in recipients.items()
    }
    answers = [post(shared_server, f"repeat {user}", body) for _ in range(3)]

    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert state(shared_server, f"A {user}") == (1, ["notification"])


@pytest.mark.parametrize("change", [{"title": "other"}, {"data": {"a": 1}}, {"user_id": "other"}])
def test_another_body_under_a_used_key_is_refused(shared_server, user, change):
    """A key stands for one request: other content is 422 and writes nothing."""
    key = f"changed {user}"
    post(shared_server, key, BODY | {"user_id": user})
    answer = post(shared_server, key, BODY | {"user_id": user} | change)

    assert answer.status_code == 422
    assert answer.json()["code"] == "key_reused"
    assert state(shared_server, user) == (1, ["notification"])


@pytest.mark.parametrize("wanted", [{}, {"deliver_at": "2999-01-01T00:00:00Z"}, {"topic": "sale"}])
def test_a_repeat_is_answered_though_its_template_was_deleted_since(shared_server, user, wanted):
    """It was done, whatever has become of the words; another request for them is refused."""
    path, headers = f"/api/templates/gone-{user[5:]}", shared_server.bearer("back end", "publish")
    words = {"locales": {"en": {"title": "Sale"}}}
    body = {"type": "t", "template": path.rpartition("/")[2], **({"user_id": user} | wanted)}
    if "topic" in body:
        del body["user_id"]
    shared_server.http.put(path, headers=headers, json=words).raise_for_status()
    first = post(shared_server, f"words {user}", body)
    shared_server.http.delete(path, headers=headers).raise_for_status()
    again, another = (post(shared_server, f"{key} {user}", body) for key in ("words", "other words"))

    assert first.is_success
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert 422 == another.status_code


def test_another_path_under_a_used_key_is_refused(shared_server, user):
    """A key of one route is used up for every route of its owner."""
    key = f"path {user}"
    event = {"namespace": "/orders", "event": "order_updated", "user_id": user, "data": {}}
    post(shared_server, key, BODY | {"user_id": user})

    assert post(shared_server, key, event, "/api/events").json()["code"] == "key_reused"


def test_keys_belong_to_their_owner(shared_server, user):
    """Two back ends may choose the same key without meeting."""
    first = post(shared_server, f"owner {user}", BODY | {"user_id": user}, caller="one")
    second = post(shared_server, f"owner {user}", BODY | {"user_id": user}, caller="two")

    assert first.json()["id"] != second.json()["id"]
    assert state(shared_server, user)[0] == 2


def test_an_event_is_published_once(shared_server, user):
    """A repeated event under one key is one event."""
    body = {"namespace": "/orders", "event": "order_updated", "user_id": user, "data": {"order_id": 1}}
    first, second = (post(shared_server, f"event {user}", body, "/api/events") for _ in range(2))

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert state(shared_server, user, "orders")[1] == ["order_updated"]


def test_marks_and_deletes_repeat_their_answer(shared_server, user):
    """read, read-all and delete take a key as well: a retried delete is no 404."""
    headers = shared_server.bearer(user)
    identity = post(shared_server, f"made {user}", BODY | {"user_id": user}).json()["id"]
    paths = [("PUT", f"{INBOX}/{identity}/read"), ("POST", f"{INBOX}/read-all"), ("DELETE", f"{INBOX}/{identity}")]
    for method, path in paths:
        keyed = headers | {"Idempotency-Key": f"{method} {user}"}
        first, second = (shared_server.http.request(method, path, headers=keyed) for _ in range(2))

        assert first.status_code in {200, 204}
        assert (first.status_code, first.content) == (second.status_code, second.content)


def test_a_refused_request_uses_no_key_up(shared_server, user):
    """A key under which nothing was written may be used for the corrected request."""
    refused = post(shared_server, f"corrected {user}", BODY | {"user_id": user, "title": ""})
    accepted = post(shared_server, f"corrected {user}", BODY | {"user_id": user})

    assert (refused.status_code, accepted.status_code) == (422, 201)


def test_without_a_key_every_post_counts(shared_server, user):
    """Two posts without a key are two notifications."""
    for _ in range(2):
        shared_server.http.post(INBOX, headers=shared_server.bearer("b", "publish"), json=BODY | {"user_id": user})

    assert state(shared_server, user)[0] == 2
