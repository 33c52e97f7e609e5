"""Why didn't Alice get it? The trace over real connections: each way to get one, and each to miss it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.acceptance.wire_socket import connected, eventually
from tocsin.domain.identifier import new_id
from tocsin.services.fcm_service import register_device

NAMESPACE = "/notifications"


@pytest.fixture(scope="module")
def server(start_shared_server):
    return start_shared_server(push_ladder="normal: push 1h; low: none")


@pytest.fixture
def user():
    return f"alice-{uuid4()}"


def create(server, user, headers=None, **fields):
    body = {"user_id": user, "type": "order", "title": "Shipped", "message": "secret words", **fields}
    wanted = server.bearer("shop", "publish") | (headers or {})
    answer = server.http.post("/api/notifications", headers=wanted, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def trace(server, notification_id, **query):
    answer = server.http.get(
        f"/api/notifications/{notification_id}/trace", headers=server.bearer("ops", "admin"), params=query
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def steps(told, channel):
    return [step["kind"] for step in told["timeline"] if step["channel"] == channel]


def text_of(told, kind):
    return next(step["text"] for step in told["timeline"] if step["kind"] == kind)


def of_user(server, user, method, path, **options):
    answer = server.http.request(method, path, headers=server.bearer(user), **options)
    assert answer.is_success, answer.text
    return answer


async def test_one_that_was_shown(server, user):
    """The session that had it live, when that acknowledged it, and when it left; no word of the message."""
    async with connected(server.url, NAMESPACE, server.mint(user)) as socket:
        made = create(server, user)
        payload = await socket.payload(NAMESPACE, "notification")
        await socket.ask(NAMESPACE, "ack", {"seq": payload["seq"]})
        told = trace(server, made["id"])
    later = await eventually(lambda: (t := trace(server, made["id"])) and "left_later" in steps(t, "socket") and t)

    assert ["live", "acked"] == steps(told, "socket")
    assert ["asked", "stored"] == sorted(steps(told, "inbox"))
    assert (told["acked"], told["state"], told["seq"]) == (True, "listed", payload["seq"])
    assert told["verdict"].startswith("Yes: a device had shown it by ")
    assert ["live", "acked", "left_later"] == steps(later, "socket")
    assert "by shop (scope publish)" in text_of(told, "asked")
    assert "secret words" not in str(told)


async def test_one_that_came_while_nobody_was_there(server, user):
    """First it waits, and the trace says that nobody was connected and why nothing was pushed; then it is resumed."""
    async with connected(server.url, NAMESPACE, server.mint(user)) as socket:
        first = create(server, user)
        payload = await socket.payload(NAMESPACE, "notification")
    await eventually(lambda: "left_later" in steps(trace(server, first["id"]), "socket"))
    made = create(server, user)
    missed = trace(server, made["id"])
    cursor = {"epoch": payload["epoch"], "last_seq": payload["seq"]}
    async with connected(server.url, NAMESPACE, server.mint(user), **cursor) as socket:
        await socket.until(NAMESPACE, "synced")
        resumed = trace(server, made["id"])

    assert missed["verdict"].startswith("No: no session is known to have been sent it; nothing was pushed: ")
    assert "had no device, browser or channel" in missed["verdict"]
    assert ["offline"] == steps(missed, "socket")
    assert "the last one had left at " in text_of(missed, "offline")
    assert ["offline", "replayed", "not_acked"] == steps(resumed, "socket")
    assert "acknowledges nothing" in text_of(resumed, "not_acked")
    assert resumed["verdict"].startswith("Perhaps: it was sent to a session, none of which has acknowledged it; ")


async def test_a_client_that_says_it_has_it_and_one_that_keeps_no_cursor(server, user):
    """Neither is sent it again, and the trace tells the two apart."""
    made = create(server, user)
    epoch = trace(server, made["id"])["epoch"]
    async with (
        connected(server.url, NAMESPACE, server.mint(user)),
        connected(server.url, NAMESPACE, server.mint(user), epoch=epoch, last_seq=made_seq(server, made)) as had,
    ):
        await had.until(NAMESPACE, "synced")
        told = trace(server, made["id"])

    assert {"offline", "before", "had"} == set(steps(told, "socket"))


def made_seq(server, made):
    return trace(server, made["id"])["seq"]


async def test_a_cursor_that_can_not_be_resumed(server, user):
    """That client was told to fetch the inbox anew, and why."""
    made = create(server, user)
    async with connected(server.url, NAMESPACE, server.mint(user), epoch="of-old", last_seq=1) as socket:
        await socket.until(NAMESPACE, "synced")
        told = trace(server, made["id"])

    assert "(epoch_changed)" in text_of(told, "refetch")


def test_what_its_user_did(server, user):
    """Seen, read, unread, archived and taken out, snoozed: each with its time, and all of them in order."""
    made = create(server, user)
    path = f"/api/notifications/{made['id']}"
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for change in ({"seen": True}, {"read": True}, {"read": False}, {"archived": True}, {"archived": False}):
        of_user(server, user, "PATCH", path, json=change)
    of_user(server, user, "PATCH", path, json={"snoozed_until": later})
    told = trace(server, made["id"])

    done = ["seen", "read", "unread", "archived", "unarchived", "snoozed"]
    assert done == [kind for kind in steps(told, "inbox") if kind not in {"asked", "stored"}]
    assert told["state"] == "snoozed"
    assert sorted(step["at"] for step in told["timeline"]) == [step["at"] for step in told["timeline"]]


def test_what_was_done_to_all(server, user):
    """Counts for those that were there: the next one is not read."""
    read, other = create(server, user, category="billing"), create(server, user, category="social")
    of_user(server, user, "POST", "/api/notifications/read-all", json={"category": "billing"})
    after = create(server, user, category="billing")

    assert "read, with all others of billing" == text_of(trace(server, read["id"]), "read")
    assert trace(server, read["id"])["verdict"].startswith("Yes: it was read at ")
    assert "read" not in steps(trace(server, other["id"]), "inbox")
    assert "read" not in steps(trace(server, after["id"]), "inbox")


def test_what_its_user_does_not_want(server, user):
    """A category without inbox goes to the archive, and the verdict says that it is the user's wish."""
    of_user(server, user, "PUT", "/api/preferences", json={"categories": {"social": {"inbox": False}}})
    told = trace(server, create(server, user, category="social")["id"])

    assert told["state"] == "archived"
    assert told["verdict"].startswith("No: the user wants social out of the inbox")
    assert text_of(told, "skipped") == "nothing is pushed: the user wants this category out of the inbox"


def test_quiet_hours_and_mutes(server, user):
    """It arrives, without a sound and without a pop-up, and that is told."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    of_user(server, user, "PUT", "/api/preferences", json={"mute_until": until})
    told = trace(server, create(server, user)["id"])

    assert {"stored", "silent", "no_toast"} <= set(steps(told, "inbox"))


def test_one_that_is_gone(server, user):
    """Deleted, or replaced by the next of its key: the log still knows whose it was and what became of it."""
    deleted = create(server, user, priority="low")
    replaced = create(server, user, collapse_key="parcel-5")
    successor = create(server, user, collapse_key="parcel-5")
    of_user(server, user, "DELETE", f"/api/notifications/{deleted['id']}")
    told = trace(server, deleted["id"])
    gone = trace(server, replaced["id"])

    assert (told["state"], told["in_inbox"], told["title"]) == ("gone", False, "Shipped")
    assert told["verdict"].startswith("Not known: it was deleted by its user, or taken back, at ")
    assert text_of(told, "skipped") == "nothing is pushed: the priority low has no ladder (TOCSIN_PUSH_LADDER)"
    assert gone["verdict"].startswith(f"No: {successor['id']} took its place at ")


@pytest.mark.parametrize(
    "strange", ["ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-7000-8000-000000000000", "x", "%20", "a" * 3_000]
)
def test_an_id_that_nobody_was_given(server, strange):
    """Whatever it looks like, such as one of the year 10889, there is nothing of it."""
    answer = server.http.get(f"/api/notifications/{strange}/trace", headers=server.bearer("ops", "admin"))

    assert (404, "not_found") == (answer.status_code, answer.json()["code"])


async def test_one_that_has_expired(server, user):
    """The end that was set for it is the reason."""
    made = create(server, user, ttl_s=1)
    told = await eventually(lambda: (t := trace(server, made["id"])) and t["state"] == "gone" and t)

    assert told["verdict"].startswith("No: it expired at ")


def test_one_that_waits_for_its_time(server, user):
    """Nobody can have it yet."""
    deliver_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    (kept,) = create(server, user, deliver_at=deliver_at)["scheduled"]
    told = trace(server, kept["id"])

    assert (told["state"], told["user_id"]) == ("scheduled", user)
    assert told["verdict"] == f"Not yet: it is to be delivered at {kept['deliver_at']}."
    assert ["scheduled", "planned"] == steps(told, "inbox")


def test_a_request_under_an_idempotency_key(server, user):
    """Whose it was and under which key; that it was repeated, which made nothing."""
    key = {"Idempotency-Key": f"order-{user}"}
    made = create(server, user, key)
    assert made["id"] == create(server, user, key)["id"]
    asked = [step["text"] for step in trace(server, made["id"])["timeline"] if step["kind"] == "asked"]

    assert f"asked for by shop (scope publish) with the idempotency key order-{user}" in asked[0]
    assert any("again, under the same idempotency key" in text for text in asked)


async def test_one_of_many(server, user):
    """The job and its topic are named; the id of the job is told to be that."""
    topic = f"t-{uuid4()}"
    of_user(server, user, "POST", "/api/fcm/subscribe-topic", json={"topic": topic})
    body = {"topic": topic, "type": "sale", "title": "Sale", "message": ""}
    answer = server.http.post("/api/notifications", headers=server.bearer("shop", "publish"), json=body)
    job = answer.json()["job"]["id"]
    inbox = await eventually(lambda: of_user(server, user, "GET", "/api/notifications").json()["notifications"])
    refusal = server.http.get(f"/api/notifications/{job}/trace", headers=server.bearer("ops", "admin"))

    assert f"made by the job {job} for the topic {topic}" == text_of(trace(server, inbox[0]["id"]), "job")
    assert "this is a job" in refusal.json()["detail"]


def test_a_device_that_came_too_late(server, user):
    """Nothing was pushed, because it was not there yet."""
    made = create(server, user)
    register_device(user, f"t-{uuid4()}", "android", "Her phone")
    told = trace(server, made["id"])

    assert "Her phone was registered after it was made" == text_of(told, "registered")
    assert "t-" not in str(told["timeline"])


def test_what_comes_next(server, user):
    """With a device, a rung waits for its time."""
    register_device(user, f"t-{uuid4()}", "android")
    told = trace(server, create(server, user)["id"])

    assert "planned" in steps(told, "ladder")
    assert told["next"] is not None


@pytest.mark.parametrize(
    ("notification_id", "said"),
    [("7", "no id that this server gives out"), (new_id(), "an id like this is given out at ")],
)
def test_one_that_is_not_known(server, notification_id, said):
    """The answer says what can be said of the id."""
    answer = server.http.get(f"/api/notifications/{notification_id}/trace", headers=server.bearer("ops", "admin"))

    assert 404 == answer.status_code
    assert said in answer.json()["detail"]


def test_one_that_is_gone_is_found_by_its_user(server, user):
    """Where the instant of its id leads nowhere, as of one that was scheduled."""
    deliver_at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    (kept,) = create(server, user, deliver_at=deliver_at)["scheduled"]
    path = f"/api/notifications/{kept['id']}"
    of_user(server, user, "GET", "/api/notifications")
    while not of_user(server, user, "GET", "/api/notifications").json()["notifications"]:
        pass
    of_user(server, user, "DELETE", path)

    assert trace(server, kept["id"], user_id=user)["state"] == "gone"


def test_a_restart_is_told(start_server, tmp_path):
    """What a node has seen is gone with it, and the trace says from when on it remembers."""
    settings = {"database_url": f"sqlite:///{tmp_path / 't.db'}"}
    first = start_server(**settings)
    made = create(first, "alice")
    first.stop()
    told = trace(start_server(**settings), made["id"])

    assert any("Who was connected then is not known" in sentence for sentence in told["unknown"])
    assert [] == steps(told, "socket")


@pytest.mark.slow
async def test_a_session_on_another_node(start_server, tmp_path, redis_url):
    """Whichever node is asked, it asks all; one that stops takes along what it has seen."""
    settings = {"database_url": f"sqlite:///{tmp_path / 't.db'}", "redis_url": redis_url}
    nodes = start_server(**settings), start_server(**settings)
    async with connected(nodes[0].url, NAMESPACE, nodes[0].mint("alice")) as socket:
        made = create(nodes[1], "alice")
        await socket.payload(NAMESPACE, "notification")
        told = trace(nodes[1], made["id"])
        again = trace(nodes[1], made["id"])

    for answer in (told, again):
        live = [step for step in answer["timeline"] if step["kind"] == "live"]
        assert [nodes[0].service.insight.nodes.name] == [re.sub(r" \(.*", "", step["node"]) for step in live]
    await asyncio.to_thread(nodes[0].stop)
    alone = await eventually(lambda: (t := trace(nodes[1], made["id"])) and lost(t) and t)
    assert not alone["verdict"].startswith("No:")
    assert [] == steps(alone, "socket")


def lost(told):
    return any("or since another node has gone" in sentence for sentence in told["unknown"])


def test_who_may_ask(server, user):
    """A back end and an operator, and no user, not even its own."""
    path = f"/api/notifications/{create(server, user)['id']}/trace"
    answers = {
        scope: server.http.get(path, headers=server.bearer(user, scope)).status_code
        for scope in ("", "publish", "admin")
    }

    assert {"": 403, "publish": 200, "admin": 200} == answers
