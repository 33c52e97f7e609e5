"""The dashboard's REST over real connections: figures, sessions of all nodes, a user, and who may see them."""

from uuid import uuid4

import httpx
import pytest

from tests.acceptance.wire_socket import connected, eventually
from tocsin.services.fcm_service import register_device

NAMESPACE = "/notifications"
ROUTES = [
    ("GET", "/api/admin/overview", None),
    ("GET", "/api/admin/sessions", None),
    ("DELETE", "/api/admin/sessions/7?user_id=7", None),
    ("GET", "/api/admin/user?user_id=7", None),
    ("GET", "/api/admin/notifications?user_id=7", None),
    ("POST", "/api/admin/test", {"user_id": 7}),
]


@pytest.fixture(scope="module")
def server(start_shared_server):
    return start_shared_server()


@pytest.fixture
def user():
    return f"alice-{uuid4()}"


def ask(server, path, method="GET", **options):
    answer = server.http.request(method, path, headers=server.bearer("ops", "admin"), **options)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_it_needs_the_scope_admin(server, method, path, body):
    """A user, a back end and somebody without a token see nothing and change nothing."""
    for headers, status in (
        ({}, 401),
        (server.bearer("alice"), 403),
        (server.bearer("shop", "publish"), 403),
        ({"Cookie": f"token={server.mint('ops', 'admin')}"}, 401),
    ):
        assert status == server.http.request(method, path, headers=headers, json=body).status_code
    query = httpx.URL(path).copy_merge_params({"token": server.mint("ops", "admin")})
    assert 401 == server.http.request(method, query, json=body).status_code


async def test_the_figures_count(server, user):
    """What is committed, sent and acknowledged is seen in the next answer; times are in ranges."""
    (before,) = ask(server, "/api/admin/overview")["nodes"]
    async with connected(server.url, NAMESPACE, server.mint(user)) as socket:
        ask(server, "/api/admin/test", "POST", json={"user_id": user})
        payload = await socket.payload(NAMESPACE, "notification")
        await socket.ask(NAMESPACE, "ack", {"seq": payload["seq"]})
        overview = ask(server, "/api/admin/overview")
    (after,) = overview["nodes"]

    def grown(kind, name):
        return after[kind][name] - before[kind][name]

    assert overview["answered_by"] == after["name"]
    assert (1, 1) == (grown("gauges", "users"), grown("gauges", "connections websocket"))
    assert 1 == grown("counters", f"committed {NAMESPACE}")
    assert grown("counters", "events_out") >= 1
    for name in ("ack", "reach", "commit", "loop_delay"):
        assert sum(after["histograms"][name]["counts"]) >= sum(before["histograms"][name]["counts"])
    assert 1 == sum(after["histograms"]["ack"]["counts"]) - sum(before["histograms"]["ack"]["counts"])


async def test_who_is_connected(server, user):
    """A line a connection, found by a part of the user id, in pages; nothing in it takes a session over."""
    users = [f"{user}-{number}" for number in range(3)]
    async with (
        connected(server.url, NAMESPACE, server.mint(users[0])) as socket,
        connected(server.url, "/orders", server.mint(users[1])),
        connected(server.url, "/chat", server.mint(users[2])),
    ):
        await socket.connect("/orders", {"token": server.mint(users[0])})
        whole = ask(server, "/api/admin/sessions", params={"find": user})
        pages, cursor = [], None
        while cursor is not None or not pages:
            query = {"find": user, "limit": 1} | ({"cursor": cursor} if cursor else {})
            page = ask(server, "/api/admin/sessions", params=query)
            pages += page["sessions"]
            cursor = page["next_cursor"]
        sids = [session.sid for session in server.service.engine.connections]

    assert users == [one["user_id"] for one in whole["sessions"]]
    assert pages == whole["sessions"]
    assert {NAMESPACE, "/orders"} == set(whole["sessions"][0]["sockets"])
    assert {("websocket", "127.0.0.1")} == {(one["transport"], one["address"]) for one in pages}
    assert not any(sid in str(whole) for sid in sids)


@pytest.mark.parametrize("cursor", ["!", "bm8gbmV3bGluZQ==", "é"])
def test_a_cursor_that_is_none(server, cursor):
    """A problem that names the field."""
    answer = server.http.get("/api/admin/sessions", headers=server.bearer("ops", "admin"), params={"cursor": cursor})

    assert 422 == answer.status_code
    assert answer.json()["detail"].startswith("cursor: ")


async def test_a_session_is_cut(server, user):
    """That one alone, and its client may come back; there is nothing to cut twice."""
    async with (
        connected(server.url, NAMESPACE, server.mint(user)) as socket,
        connected(server.url, NAMESPACE, server.mint(user)) as other,
    ):
        sessions = ask(server, "/api/admin/sessions", params={"find": user})["sessions"]
        path = f"/api/admin/sessions/{sessions[0]['id']}"
        ask(server, path, "DELETE", params={"user_id": user})
        await eventually(lambda: socket.closed.is_set() or other.closed.is_set())
        again = server.http.delete(path, headers=server.bearer("ops", "admin"), params={"user_id": user})
        left = ask(server, "/api/admin/sessions", params={"find": user})["sessions"]

        assert sessions[1:] == left
        assert [False, True] == sorted(one.closed.is_set() for one in (socket, other))
    assert 404 == again.status_code


async def test_one_user(server, user):
    """Presence, devices, counts, streams and the last events: no token, no text."""
    token = f"device-{uuid4()}"
    register_device(user, token, "ios", "Her iPad")
    for number in range(12):
        ask(server, "/api/admin/test", "POST", json={"user_id": user, "title": f"secret {number}"})
    async with connected(server.url, NAMESPACE, server.mint(user)) as socket:
        await socket.ask(NAMESPACE, "ack", {"seq": 12})
        told = await eventually(lambda: (t := ask(server, f"/api/admin/user?user_id={user}")) and acked(t) and t)

    assert (told["user_id"], told["is_online"], told["inbox"]["unread"]) == (user, True, 12)
    assert ["Her iPad"] == [device["device_name"] for device in told["devices"]]
    assert [NAMESPACE] == [name for one in told["sessions"] for name in one["sockets"]]
    stream = next(one for one in told["streams"] if one["namespace"] == NAMESPACE)
    assert (stream["seq"], list(range(12, 2, -1))) == (12, [event["seq"] for event in stream["events"]])
    assert token not in str(told)
    assert "secret" not in str(told)


def acked(told):
    return next(one["acked"] for one in told["streams"] if one["namespace"] == NAMESPACE)


def test_one_that_nobody_knows(server):
    """Is an empty user: ids are the host's."""
    told = ask(server, "/api/admin/user?user_id=nobody-at-all")

    assert (False, None, [], 0) == (told["is_online"], told["last_seen_at"], told["sessions"], told["inbox"]["total"])


def test_the_trace_names_who_sent_a_test(server, user):
    """An operator can word one: it can be told from a back end's."""
    made = ask(server, "/api/admin/test", "POST", json={"user_id": user, "title": "Your bank"})
    told = ask(server, f"/api/notifications/{made['id']}/trace")

    assert "asked for by ops (scope admin)" in str(told["timeline"])


def test_a_notification_is_found(server, user):
    """By a user and a word of the title."""
    for title in ("Parcel", "Invoice", "소포 도착"):
        ask(server, "/api/admin/test", "POST", json={"user_id": user, "title": title})
    found = ask(server, "/api/admin/notifications", params={"user_id": user, "text": "소포"})["notifications"]
    since = ask(server, "/api/admin/notifications", params={"user_id": user, "since": "2999-01-01T00:00:00Z"})

    assert [("소포 도착", "test", "listed")] == [(one["title"], one["type"], one["state"]) for one in found]
    assert {"notifications": []} == since


@pytest.mark.slow
async def test_all_nodes_are_seen_by_each(start_server, tmp_path, redis_url):
    """Their figures, their sessions; a session is cut on whichever it is."""
    settings = {"database_url": f"sqlite:///{tmp_path / 't.db'}", "redis_url": redis_url}
    first, second = start_server(**settings), start_server(**settings)
    async with (
        connected(first.url, NAMESPACE, first.mint("alice")) as alice,
        connected(second.url, NAMESPACE, second.mint("bob")),
    ):
        nodes = await eventually(lambda: (n := ask(second, "/api/admin/overview")["nodes"]) and len(n) == 2 and n)
        sessions = ask(second, "/api/admin/sessions")["sessions"]
        user = ask(second, "/api/admin/user?user_id=alice")
        ask(second, f"/api/admin/sessions/{sessions[0]['id']}", "DELETE", params={"user_id": "alice"})
        await eventually(alice.closed.is_set)

    assert [1, 1] == [node["gauges"]["users"] for node in nodes]
    assert ["alice", "bob"] == [one["user_id"] for one in sessions]
    assert 2 == len({one["node"] for one in sessions})
    assert 1 == len(user["sessions"])
