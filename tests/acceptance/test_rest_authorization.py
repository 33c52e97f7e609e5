"""Who may do what over a real connection: security.md, "Authorization"."""

import pytest

INBOX = "/api/notifications"
NOWHERE = "01a20617-0000-7000-8000-000000000000"


@pytest.fixture
def theirs(shared_server, request):
    """The id of a notification of somebody else."""
    return publish(shared_server, f"owner of {request.node.name}"[:100])["id"]


def publish(server, user_id, **fields):
    body = {"user_id": user_id, "type": "t", "title": "t", "message": "m"} | fields
    answer = server.http.post(INBOX, headers=server.bearer("back end", "publish"), json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/notifications/{}"), ("PUT", "/api/notifications/{}/read"), ("DELETE", "/api/notifications/{}")],
)
def test_anothers_id_answers_as_a_missing_one(shared_server, theirs, method, path):
    """Nobody learns whether an id that is not theirs exists: status, body and headers are the same."""
    headers = shared_server.bearer("somebody else")
    foreign = shared_server.http.request(method, path.format(theirs), headers=headers)
    missing = shared_server.http.request(method, path.format(NOWHERE), headers=headers)

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content.replace(theirs.encode(), b"ID") == missing.content.replace(NOWHERE.encode(), b"ID")
    assert [name for name in foreign.headers if name != "date"] == [name for name in missing.headers if name != "date"]


def test_anothers_inbox_stays_as_it_was(shared_server):
    """Reading, marking and deleting by id touch one's own inbox alone."""
    identity = publish(shared_server, "victim")["id"]
    thief = shared_server.bearer("thief")
    shared_server.http.put(f"{INBOX}/{identity}/read", headers=thief)
    shared_server.http.delete(f"{INBOX}/{identity}", headers=thief)
    shared_server.http.post(f"{INBOX}/read-all", headers=thief)
    seen = shared_server.http.get(f"{INBOX}/{identity}", headers=shared_server.bearer("victim")).json()

    assert seen["read"] is False


def test_the_token_alone_chooses_the_inbox(shared_server):
    """A user id in the query or the body of a reader is refused, not believed."""
    publish(shared_server, "alice")
    headers = shared_server.bearer("mallory")
    answers = [
        shared_server.http.get(INBOX, headers=headers, params={"user_id": "alice"}),
        shared_server.http.get("/api/stream/notifications", headers=headers, params={"user_id": "alice"}),
        shared_server.http.post(f"{INBOX}/read-all", headers=headers, json={"user_id": "alice"}),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert shared_server.http.get(INBOX, headers=headers).json()["notifications"] == []


def test_the_stream_is_the_callers_own(shared_server):
    """The durable log shows what went to the token's subject and nothing else."""
    publish(shared_server, "streamer", title="for streamer")
    publish(shared_server, "neighbour", title="for neighbour")
    events = shared_server.http.get("/api/stream/notifications", headers=shared_server.bearer("streamer")).json()[
        "events"
    ]

    assert [event["data"]["title"] for event in events] == ["for streamer"]


@pytest.mark.parametrize("scope", ["", "read", "publisher", "PUBLISH", "admin", "publish,admin"])
@pytest.mark.parametrize("path", [INBOX, "/api/events"])
def test_publishing_needs_the_scope(shared_server, path, scope):
    """A token without exactly the scope `publish` creates nothing."""
    body = {"user_id": 7, "type": "t", "title": "t", "message": "m"}
    answer = shared_server.http.post(path, headers=shared_server.bearer(7, scope), json=body)

    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"


def test_a_publisher_retracts_anybodys(shared_server):
    """With the scope `publish` a delete takes a notification back everywhere."""
    identity = publish(shared_server, "reader")["id"]
    answer = shared_server.http.delete(f"{INBOX}/{identity}", headers=shared_server.bearer("back end", "publish"))
    events = shared_server.http.get("/api/stream/notifications", headers=shared_server.bearer("reader")).json()[
        "events"
    ]

    assert answer.status_code == 204
    assert [event["event"] for event in events] == ["notification", "notification_deleted"]


def test_a_publisher_reads_no_foreign_inbox(shared_server, theirs):
    """The scope `publish` writes to everybody and reads only its own subject's inbox."""
    headers = shared_server.bearer("back end", "publish")

    assert shared_server.http.get(f"{INBOX}/{theirs}", headers=headers).status_code == 404
    assert shared_server.http.get(INBOX, headers=headers).json()["notifications"] == []


@pytest.mark.parametrize(
    "field",
    [
        "id",
        "seq",
        "timestamp",
        "created_at",
        "from_user_id",
        "sender",
        "read",
        "read_at",
        "seen_at",
        "event_id",
        "epoch",
    ],
)
def test_what_the_server_sets_is_refused_from_outside(shared_server, field):
    """Id, time, sender and state of a notification are never taken from a body."""
    body = {"user_id": 7, "type": "t", "title": "t", "message": "m", field: "x"}
    answer = shared_server.http.post(INBOX, headers=shared_server.bearer("b", "publish"), json=body)

    assert answer.status_code == 422
    assert field in answer.json()["detail"]


@pytest.mark.parametrize("field", ["event_id", "seq", "epoch"])
def test_what_the_stream_sets_is_refused_in_event_data(shared_server, field):
    """A publisher can't forge an event's place in a stream."""
    body = {"namespace": "/orders", "event": "order_updated", "user_id": 7, "data": {field: 1}}
    answer = shared_server.http.post("/api/events", headers=shared_server.bearer("b", "publish"), json=body)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("namespace", "event"),
    [
        ("/notifications", "notification"),
        ("/notifications", "notification_deleted"),
        ("/chat", "message_received"),
        ("/chat", "user_typing"),
        ("/sns", "synced"),
        ("/sns", "auth_expired"),
        ("/orders", "server_draining"),
        ("/orders", "connect"),
        ("/", "order_updated"),
        ("orders", "order_updated"),
    ],
)
def test_only_registered_events_are_published(shared_server, namespace, event):
    """Events that the server makes itself can't be made by a back end."""
    body = {"namespace": namespace, "event": event, "user_id": 7, "data": {}}
    answer = shared_server.http.post("/api/events", headers=shared_server.bearer("b", "publish"), json=body)

    assert answer.status_code == 422


def test_a_number_and_its_text_are_one_user(shared_server):
    """`456` and `"456"` name one inbox, and the id is given out as a number."""
    publish(shared_server, 456)
    publish(shared_server, "456")
    listed = shared_server.http.get(INBOX, headers=shared_server.bearer(456)).json()["notifications"]

    assert [notification["user_id"] for notification in listed] == [456, 456]
