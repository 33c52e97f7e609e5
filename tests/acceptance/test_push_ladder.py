"""The push ladder over real connections: who is pushed to when, what stops it, what is taken back, the trace."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.acceptance.wire_socket import connected, eventually
from tocsin.domain.preference import Preferences
from tocsin.services.fcm_service import register_device
from tocsin.testing.fcm import CUT, INTERNAL, QUOTA_EXCEEDED, SENDER_ID_MISMATCH, UNAVAILABLE, UNREGISTERED, FakeFcm
from tocsin.testing.web_push import GONE, FakePushService

pytestmark = pytest.mark.slow

LADDER = "urgent: push 0s; high: push 1s; normal: push 2s; slow/normal: push 1h; patient/normal: push 4s; low: none"


@pytest.fixture(scope="module")
def fcm():
    with FakeFcm() as fcm:
        yield fcm


@pytest.fixture(scope="module")
def browsers():
    with FakePushService() as service:
        yield service


@pytest.fixture(scope="module")
def server(start_shared_server, fcm, browsers, tmp_path_factory):
    return start_shared_server(
        firebase_credentials_path=fcm.write_key(tmp_path_factory.mktemp("key")),
        fcm_url=fcm.url,
        webpush_hosts=(browsers.host,),
        push_ladder=LADDER,
    )


@pytest.fixture
def user():
    return f"u-{uuid4()}"


@pytest.fixture
def phone(server, user):
    token = f"t-{uuid4()}"
    register_device(user, token, "android", "Her phone")
    return token


@pytest.fixture
def browser(server, browsers, user):
    key = server.http.get("/api/webpush/public-key", headers=server.bearer(user)).json()["public_key"]
    browser = browsers.subscribe(key)
    answer = server.http.post("/api/webpush/subscriptions", headers=server.bearer(user), json=browser.subscription)
    assert answer.status_code == 201
    return browser


def create(server, user, **fields):
    body = {"user_id": user, "type": "order", "title": "Shipped", "message": "It left Busan", **fields}
    answer = server.http.post("/api/notifications", headers=server.bearer("shop", "publish"), json=body)
    assert answer.status_code == 201
    return answer.json()


def trace(server, notification_id, scope="admin"):
    answer = server.http.get(f"/api/notifications/{notification_id}/trace", headers=server.bearer("ops", scope))
    return answer.json()


def steps(server, notification_id):
    return [(one["channel"], one["outcome"], one["reason"]) for one in trace(server, notification_id)["steps"]]


def tried(server, notification_id):
    return [(channel, outcome) for channel, outcome, _ in steps(server, notification_id) if outcome != "skipped"]


def until(condition):
    deadline = time.monotonic() + 25
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


def sent_to(fcm, token):
    return [one for one in fcm.sent if one.get("token") == token and "notification" in one]


def retracted_at(fcm, token):
    data = [one["data"] for one in fcm.sent if one.get("token") == token]
    return [one["tocsin_retract"] for one in data if "tocsin_retract" in one]


def test_who_has_no_socket_is_pushed_to_everywhere(server, fcm, user, phone, browser):
    """Nobody waits for the ack of a user who is away; the badge, the tag and the link are the notification's."""
    made = create(server, user, data={"link": "/orders/5", "order_id": 5})
    push = browser.wait()
    (message,) = until(lambda: sent_to(fcm, phone))

    assert {"title": "Shipped", "body": "It left Busan"} == message["notification"]
    assert message["android"]["notification"]["tag"] == made["id"]
    assert message["android"]["notification"]["notification_count"] == 1
    assert (push.payload["tag"], push.payload["link"], push.payload["badge"]) == (made["id"], "/orders/5", 1)
    assert {("fcm", "sent", ""), ("webpush", "sent", "")} == set(until(lambda: steps(server, made["id"])))


async def test_an_ack_in_time_means_no_push(server, fcm, user, phone):
    """What a page has shown is not pushed; the trace says why."""
    async with connected(server.url, "/notifications", server.mint(user)) as socket:
        made = create(server, user)
        payload = await socket.payload("/notifications", "notification")
        await socket.ask("/notifications", "ack", {"seq": payload["seq"]})
        await eventually(lambda: ("ladder", "ended", "acked") in steps(server, made["id"]))

    assert trace(server, made["id"])["acked"] is True
    assert [] == sent_to(fcm, phone)


async def test_who_is_there_and_does_not_ack_is_pushed_to_later(server, fcm, user, phone):
    """A socket alone is no proof that anybody has seen it."""
    async with connected(server.url, "/notifications", server.mint(user)) as socket:
        made = create(server, user, category="patient")
        await socket.payload("/notifications", "notification")
        await eventually(lambda: [("fcm", "sent")] == tried(server, made["id"]))

    assert sent_to(fcm, phone)
    sent_at = next(one["at"] for one in trace(server, made["id"])["steps"] if one["outcome"] == "sent")
    waited = datetime.fromisoformat(sent_at) - datetime.fromisoformat(made["timestamp"])
    assert waited >= timedelta(seconds=4), "as if she were away"


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("PUT", "{id}/read", None, "read"),
        ("POST", "read-all", None, "read"),
        ("DELETE", "{id}", None, "deleted"),
        ("PATCH", "{id}", {"archived": True}, "archived"),
        ("PATCH", "{id}", {"snoozed_until": "2099-01-01T00:00:00Z"}, "snoozed"),
        ("POST", "archive-all", None, "archived"),
    ],
)
def test_what_is_dealt_with_elsewhere_is_taken_back(*, server, fcm, user, phone, browser, method, path, body, reason):
    """Phones get a data message and browsers a close, both by the tag that the push had."""
    made = create(server, user)
    browser.wait()
    until(lambda: sent_to(fcm, phone))
    until(lambda: len(steps(server, made["id"])) == 2)

    url = f"/api/notifications/{path.format(id=made['id'])}"
    assert server.http.request(method, url, headers=server.bearer(user), json=body).is_success
    until(lambda: ("ladder", "ended", reason) in steps(server, made["id"]))

    assert [f'["{made["id"]}"]'] == retracted_at(fcm, phone)
    assert [made["id"]] == browser.wait(2).payload["close"]
    assert {("fcm", "retracted", ""), ("webpush", "retracted", "")} <= set(steps(server, made["id"]))
    assert trace(server, made["id"])["next"] is None


def test_what_comes_back_from_a_snooze_climbs_its_ladder_anew(server, fcm, user, phone):
    """What was pushed before it was snoozed has been taken back."""
    made = create(server, user, priority="urgent")
    until(lambda: len(sent_to(fcm, phone)) == 1)
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"snoozed_until": soon}
    url = f"/api/notifications/{made['id']}"
    assert server.http.patch(url, headers=server.bearer(user), json=body).is_success

    until(lambda: len(sent_to(fcm, phone)) == 2)
    assert [f'["{made["id"]}"]'] == retracted_at(fcm, phone)


def test_an_update_takes_the_push_before_it_back(server, fcm, user, phone):
    """A lock screen shows the last one only."""
    first = create(server, user, priority="urgent", collapse_key="build")
    until(lambda: sent_to(fcm, phone))
    create(server, user, priority="urgent", collapse_key="build")

    until(lambda: len(sent_to(fcm, phone)) == 2)
    until(lambda: retracted_at(fcm, phone))
    until(lambda: ("ladder", "ended", "replaced") in steps(server, first["id"]))


def test_what_somebody_has_claimed_is_taken_back_from_all(server, fcm, user, phone):
    """Nobody is called to what is being dealt with."""
    body = {"user_ids": [user, f"{user} colleague"], "type": "t", "title": "Who?", "message": "", "priority": "urgent"}
    publisher = server.bearer("shop", "publish")
    server.http.post("/api/notifications", headers=publisher, json=body | {"claimable": True})
    until(lambda: sent_to(fcm, phone))
    colleague = server.bearer(f"{user} colleague")
    (theirs,) = server.http.get("/api/notifications", headers=colleague).json()["notifications"]
    assert server.http.post(f"/api/notifications/{theirs['id']}/claim", headers=colleague).is_success

    until(lambda: retracted_at(fcm, phone))


def test_what_expires_is_taken_back(server, fcm, user, phone):
    """A push for what is no more would mislead."""
    made = create(server, user, priority="urgent", ttl_s=4)
    until(lambda: sent_to(fcm, phone))

    until(lambda: retracted_at(fcm, phone))
    assert ("ladder", "ended", "expired") in until(lambda: steps(server, made["id"])[2:])


@pytest.mark.parametrize(
    "answer", [INTERNAL, UNAVAILABLE.after(1), QUOTA_EXCEEDED.after(1), CUT], ids=lambda one: str(one.status)
)
def test_what_can_not_be_taken_now_is_tried_again(server, fcm, user, phone, answer):
    """Each try is a step of the trace, under one tag; in the end the phone has it once."""
    fcm.answer(phone, answer)
    made = create(server, user, priority="urgent")
    (message,) = until(lambda: sent_to(fcm, phone))

    assert message["android"]["notification"]["tag"] == made["id"]
    until(lambda: [("fcm", "retry"), ("fcm", "sent")] == tried(server, made["id"]))


def test_who_asks_for_ages_keeps_nobody_from_being_recorded(*, server, fcm, user, phone, browser):
    """What the others were sent is known, so that it is not sent again; the wait is an hour at the most."""
    fcm.answer(phone, UNAVAILABLE.after("9" * 30))
    made = create(server, user, priority="urgent")
    until(lambda: {("fcm", "retry"), ("webpush", "sent")} == set(tried(server, made["id"])))

    (reason,) = [reason for _, outcome, reason in steps(server, made["id"]) if outcome == "retry"]
    assert reason.startswith("UNAVAILABLE, asked to wait until ")
    wait = datetime.fromisoformat(reason.split()[-1]) - datetime.fromisoformat(made["timestamp"])
    assert timedelta(minutes=59) < wait < timedelta(minutes=61)


def test_the_dead_are_removed_and_the_refused_are_not_asked_again(*, server, fcm, browsers, user, phone, browser):
    """A device that is no more goes; one of another project stays, and the trace tells why it got nothing."""
    fcm.always(phone, SENDER_ID_MISMATCH)
    browsers.always(browser, GONE)
    made = create(server, user, priority="urgent")

    expected = {("fcm", "refused", "SENDER_ID_MISMATCH"), ("webpush", "gone", "http 410")}
    until(lambda: expected == set(steps(server, made["id"])))
    fcm.always(phone, UNREGISTERED)
    other = create(server, user, priority="urgent")

    until(lambda: ("fcm", "gone", "UNREGISTERED") in steps(server, other["id"]))
    assert ("webpush", "skipped", "nothing is registered") in steps(server, other["id"])


def test_what_has_no_ladder_is_not_pushed(server, fcm, user, phone):
    """A low one, and one whose category waits for an hour."""
    low = create(server, user, priority="low")
    slow = create(server, user, category="slow")
    urgent = create(server, user, priority="urgent")
    until(lambda: sent_to(fcm, phone))

    assert [urgent["id"]] == [one["android"]["notification"]["tag"] for one in sent_to(fcm, phone)]
    until(lambda: trace(server, low["id"])["next"] is None)
    assert [] == steps(server, low["id"])
    assert trace(server, slow["id"])["next"] is not None


def test_preferences_are_asked(server, fcm, user, phone, browser):
    """A muted channel is passed over; in quiet hours only what is urgent comes."""
    always = {"from": "00:00", "until": "23:59", "time_zone": "UTC"}
    wanted = Preferences.read({"quiet_hours": always, "categories": {"promo": {"fcm": False}}})
    server.call(server.service.preferences.save(user, wanted))
    quiet = create(server, user, priority="high")
    urgent = create(server, user, priority="urgent", category="promo")
    browser.wait()

    until(lambda: ("fcm", "skipped", "muted by the user") in steps(server, urgent["id"]))
    assert [] == sent_to(fcm, phone)
    (step,) = until(lambda: trace(server, quiet["id"])["steps"])
    assert (step["outcome"], step["reason"][:17]) == ("skipped", "quiet hours until")


def test_a_receipt_stands_in_the_trace_once_and_a_click_ends_the_ladder(*, server, fcm, user, phone, browser):
    """What a service worker proves is told with its event; the same again adds nothing; who clicks has seen it."""
    made = create(server, user, priority="urgent")
    receipt = browser.wait().payload["receipt"]
    for event in ("shown", "shown", "clicked"):
        assert server.http.post("/api/webpush/receipts", json={"receipt": receipt, "event": event}).status_code == 204

    arrived = [one for one in steps(server, made["id"]) if one[1] == "arrived"]
    assert [("webpush", "arrived", "shown"), ("webpush", "arrived", "clicked")] == arrived
    until(lambda: ("ladder", "ended", "acked") in steps(server, made["id"]))
    assert [f'["{made["id"]}"]'] == retracted_at(fcm, phone)


@pytest.mark.parametrize("event", ["clicked", "closed"])
def test_what_its_user_has_taken_off_a_browser_is_not_taken_back_there(*, server, fcm, user, phone, browser, event):
    """Browsers show something of their own for a push that shows nothing."""
    made = create(server, user, priority="urgent")
    receipt = browser.wait().payload["receipt"]
    until(lambda: {("fcm", "sent"), ("webpush", "sent")} == set(tried(server, made["id"])))
    for told in ("shown", event):
        assert server.http.post("/api/webpush/receipts", json={"receipt": receipt, "event": told}).status_code == 204

    until(lambda: ("ladder", "ended", "acked") in steps(server, made["id"]))
    assert [f'["{made["id"]}"]'] == retracted_at(fcm, phone)
    assert 1 == len(browser.pushes)


def test_the_trace_is_not_for_users(server, user, phone):
    """It tells of devices; a token without a scope is refused, and an unknown id is not found."""
    made = create(server, user)
    path = f"/api/notifications/{made['id']}/trace"

    assert 403 == server.http.get(path, headers=server.bearer(user)).status_code
    assert 401 == server.http.get(path).status_code
    assert 200 == server.http.get(path, headers=server.bearer("ops", "publish")).status_code
    assert 404 == server.http.get("/api/notifications/unknown/trace", headers=server.bearer("ops", "admin")).status_code


def test_traces_are_kept_for_a_week(server, fcm, user, phone):
    """Then they go with the other things that are past their time."""
    made = create(server, user, priority="urgent")
    until(lambda: steps(server, made["id"]))
    week_ms = 7 * 24 * 3_600_000
    now = int(time.time() * 1000)

    assert 0 == server.call(server.service.store.prune(now))["delivery_attempt"]
    assert 0 < server.call(server.service.store.prune(now + week_ms + 60_000))["delivery_attempt"]
    assert [] == steps(server, made["id"])


def test_what_becomes_urgent_later_is_pushed_then(server, fcm, user, phone):
    """Its ladder begins with the change; what was read, or tried before, begins none."""
    ops = server.bearer("shop", "publish")
    low, read = create(server, user, priority="low"), create(server, user, priority="low")
    server.http.put(f"/api/notifications/{read['id']}/read", headers=server.bearer(user))
    for one in (low, read):
        until(lambda one=one: trace(server, one["id"])["next"] is None)
    for one in (read, low):
        changed = server.http.patch(f"/api/notifications/{one['id']}", headers=ops, json={"priority": "urgent"})
        assert 200 == changed.status_code
    until(lambda: ("fcm", "sent") in tried(server, low["id"]))
    server.http.patch(f"/api/notifications/{low['id']}", headers=ops, json={"priority": "high"})
    last = create(server, user, priority="urgent")
    until(lambda: len(sent_to(fcm, phone)) > 1)
    assert [low["id"], last["id"]] == [one["android"]["notification"]["tag"] for one in sent_to(fcm, phone)]
