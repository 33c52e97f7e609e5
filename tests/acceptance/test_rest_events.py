"""A back end's events and the durable log over a real connection."""

import itertools

import pytest

from tocsin.domain.events import REGISTRY

_users = itertools.count(1)
DURABLE = [kind for kind in REGISTRY if kind.publishable and kind.durable]
EPHEMERAL = [kind for kind in REGISTRY if kind.publishable and not kind.durable]


@pytest.fixture
def user(shared_server):
    return f"user {next(_users)}"


def publish(server, user, namespace, event, data, **fields):
    body = {"namespace": namespace, "event": event, "user_id": user, "data": data} | fields
    return server.http.post("/api/events", headers=server.bearer("back end", "publish"), json=body)


def stream(server, user, namespace, **query):
    return server.http.get(f"/api/stream{namespace}", headers=server.bearer(user), params=query).json()


@pytest.mark.parametrize("kind", DURABLE, ids=lambda kind: kind.name)
def test_every_durable_event_is_committed(shared_server, user, kind):
    """Each event of the guide that a back end publishes is answered 201 as its stream shows it."""
    answer = publish(shared_server, user, kind.namespace, kind.name, {"extra": [1, "둘"]})
    log = stream(shared_server, user, kind.namespace)

    assert answer.status_code == 201
    assert log["events"] == [answer.json()]
    assert answer.json()["event"] == kind.name
    assert answer.json()["data"]["extra"] == [1, "둘"]
    assert answer.json()["data"]["epoch"] == log["epoch"]
    assert (answer.json()["seq"], log["seq"], log["pruned"]) == (1, 1, 0)


@pytest.mark.parametrize("kind", EPHEMERAL, ids=lambda kind: f"{kind.namespace}-{kind.name}")
def test_ephemeral_events_are_kept_nowhere(shared_server, user, kind):
    """Presence is passed on, answered 202, and stands in no stream."""
    answer = publish(shared_server, user, kind.namespace, kind.name, {"user_id": 3})

    assert answer.status_code == 202
    assert answer.json()["job"]["total"] == 1
    assert stream(shared_server, user, kind.namespace)["events"] == []


def test_a_publisher_may_ask_for_no_stream(shared_server, user):
    """`durable: false` sends an event at most once."""
    answer = publish(shared_server, user, "/orders", "shipment_update", {}, durable=False)

    assert answer.status_code == 202
    assert stream(shared_server, user, "/orders")["seq"] == 0


def test_many_users_are_answered_with_a_job(shared_server):
    """user_ids: one event each, committed together, answered 202."""
    users = [f"many {number}" for number in range(5)]
    body = {"namespace": "/sns", "event": "post_liked", "user_ids": users, "data": {"post_id": 1}}
    answer = shared_server.http.post("/api/events", headers=shared_server.bearer("b", "publish"), json=body)

    assert answer.status_code == 202
    assert answer.json()["job"] == {"id": None, "state": "done", "total": 5, "done": 5}
    assert [stream(shared_server, user, "/sns")["seq"] for user in users] == [1] * 5


@pytest.mark.parametrize(
    ("namespace", "event", "data"),
    [
        ("/orders", "order_updated", {"status": 1}),
        ("/orders", "order_updated", {"order_id": [1]}),
        ("/orders", "order_updated", {"order_id": True}),
        ("/sns", "publish_success", {"platforms": "instagram"}),
        ("/sns", "publish_success", {"platforms": [1]}),
        ("/sns", "publish_success", {"timestamp": 1}),
    ],
)
def test_known_fields_have_their_types(shared_server, user, namespace, event, data):
    """A field that the registry knows has its type, so that clients can rely on it."""
    answer = publish(shared_server, user, namespace, event, data)

    assert answer.status_code == 422
    assert next(iter(data)) in answer.json()["detail"]


def test_the_log_is_read_from_a_cursor(shared_server, user):
    """`after` and `limit` walk through the log, in order, without a gap."""
    for number in range(5):
        publish(shared_server, user, "/orders", "order_updated", {"order_id": number})
    seen, after = [], 0
    while chunk := stream(shared_server, user, "/orders", after=after, limit=2)["events"]:
        seen += chunk
        after = chunk[-1]["seq"]

    assert [event["seq"] for event in seen] == [1, 2, 3, 4, 5]
    assert [event["data"]["order_id"] for event in seen] == [0, 1, 2, 3, 4]
    assert len({event["event_id"] for event in seen}) == 5


def test_a_cursor_beyond_the_head_reads_nothing(shared_server, user):
    """A reader ahead of the log gets no events, and the head to compare with."""
    log = stream(shared_server, user, "/chat", after=10)

    assert (log["events"], log["seq"]) == ([], 0)
