"""Pushes to browsers, through the real server and sender to a push service on loopback that checks and decrypts."""

import logging
import sys
import time

import pytest

from tocsin.application.push import draft_push
from tocsin.bootstrap.web_push import MISSING
from tocsin.domain.push import PushMessage
from tocsin.domain.timestamp import now_ms
from tocsin.services.fcm_service import send_push
from tocsin.testing.web_push import (
    BROKEN,
    CUT,
    GONE,
    JUNK,
    NOT_FOUND,
    TOO_BIG,
    TOO_MANY,
    UNAVAILABLE,
    FakePushService,
    PushAnswer,
)

DAY_S = 24 * 3_600
HELLO = PushMessage(title="Hello", body="World")


@pytest.fixture
def service():
    with FakePushService() as service:
        yield service


@pytest.fixture
def server(start_server, service):
    return start_server(webpush_hosts=service.host, vapid_subject="mailto:push@example.com")


def subscribed(server, service, user=7, key=None):
    """Return a browser that the user's page has subscribed."""
    browser = service.subscribe(key)
    answer = server.http.post("/api/webpush/subscriptions", headers=server.bearer(user), json=browser.subscription)
    assert answer.status_code == 201, answer.text
    return browser


def public_key(server):
    return server.http.get("/api/webpush/public-key", headers=server.bearer(7)).json()["public_key"]


def push(server, message, user="7"):
    return server.call(server.service.push.send(user, message))


def until(condition):
    while not condition():
        time.sleep(0.01)


def test_a_push_is_what_the_browser_decrypts(server, service):
    """The whole payload, signed by the key that the browser subscribed with."""
    browser = subscribed(server, service, key=public_key(server))
    sent = push(
        server,
        PushMessage(
            title="주문 발송",
            body="It arrives tomorrow. 📦",
            data={"order_id": 17},
            collapse_key="order 17",
            ttl_s=600,
            priority="urgent",
            badge=3,
            link="/orders/17",
            notification_id="n-1",
        ),
    )
    (got,) = browser.pushes
    receipt, timestamp = got.payload.pop("receipt"), got.payload.pop("timestamp")

    assert (sent.sent, service.refusals) == (1, [])
    assert got.payload == {
        "v": 1,
        "title": "주문 발송",
        "body": "It arrives tomorrow. 📦",
        "data": {"order_id": 17},
        "tag": "order 17",
        "link": "/orders/17",
        "badge": 3,
        "notification_id": "n-1",
    }
    assert (got.ttl_s, got.urgency, len(got.topic)) == (600, "high", 32)
    assert (got.claims["aud"], got.claims["sub"]) == (service.url, "mailto:push@example.com")
    assert got.claims["exp"] <= time.time() + DAY_S
    assert timestamp.endswith("Z")
    assert receipt


def test_the_sync_function_reaches_browsers(server, service):
    """Without a key file of Firebase, and without an account anywhere."""
    browsers = [subscribed(server, service) for _ in range(2)]
    subscribed(server, service, user=8)

    assert send_push(7, "Hello", "World", {"x": 1}) == 2
    assert [browser.wait().payload["data"] for browser in browsers] == [{"x": 1}, {"x": 1}]
    assert service.requests == 2


def test_the_receipt_of_a_push_proves_that_it_arrived(server, service):
    """The service worker gives it back without a token, and the browser is seen."""
    browser = subscribed(server, service)
    (before,) = server.call(server.service.web_push.list("7"))
    push(server, HELLO)
    until(lambda: now_ms() > before.last_seen_at)
    now = now_ms()
    answer = server.http.post(
        "/api/webpush/receipts", json={"receipt": browser.pushes[0].payload["receipt"], "event": "shown"}
    )
    (after,) = server.call(server.service.web_push.list("7"))

    assert answer.status_code == 204
    assert after.last_seen_at >= now


@pytest.mark.parametrize(
    ("title", "body", "data"),
    [
        ("t" * 200, "x" * 4_000, {}),
        ("제" * 200, "가" * 4_000, {}),
        ("t", "📦" * 4_000, {"order_id": 17}),
        ("t", '"\n' * 2_000, {}),
        ("t", "short", {"big": "x" * 16_000}),
        ("t", "x" * 4_000, {"big": "x" * 16_000}),
    ],
)
def test_what_is_too_long_is_cut(server, service, title, body, data):
    """To 4,096 bytes encrypted, whatever is in it; never refused."""
    browser = subscribed(server, service)
    report = push(server, draft_push(title, body, data, link="/" + "l" * 900, collapse_key="k" * 64))
    (got,) = browser.pushes

    assert report.sent == 1
    assert got.size <= 4_096
    assert got.payload["title"] == title
    assert body.startswith(got.payload["body"].removesuffix("…"))


@pytest.mark.parametrize(
    ("answers", "report", "stays"),
    [
        ([PushAnswer(200)], (1, 0, 0), True),
        ([PushAnswer(202)], (1, 0, 0), True),
        ([NOT_FOUND], (0, 1, 0), False),
        ([GONE], (0, 1, 0), False),
        ([TOO_BIG], (0, 0, 1), True),
        ([PushAnswer(400, body=b'{"reason": "BadJwtToken"}')], (0, 0, 1), True),
        ([PushAnswer(403)], (0, 0, 1), True),
        ([TOO_MANY.after(0), PushAnswer()], (1, 0, 0), True),
        ([UNAVAILABLE.after(0), BROKEN.after(0), GONE], (0, 1, 0), False),
        ([TOO_MANY.after(3_600)], (0, 0, 1), True),
        ([UNAVAILABLE.after("Wed, 21 Oct 2099 07:28:00 GMT")], (0, 0, 1), True),
        ([BROKEN.after(0)] * 5, (0, 0, 1), True),
        ([CUT, PushAnswer()], (1, 0, 0), True),
        ([JUNK, PushAnswer()], (1, 0, 0), True),
    ],
)
def test_what_push_services_answer(server, service, answers, report, stays):
    """What is gone goes, what may be taken later is tried again, the rest is told; other browsers get it each time."""
    browser, other = subscribed(server, service), subscribed(server, service)
    service.answer(browser, *answers)
    told = push(server, HELLO)

    assert (told.sent - 1, told.gone, told.failed) == report
    assert len(server.call(server.service.web_push.list("7"))) == 1 + stays
    assert len(other.pushes) == 1


def test_a_browser_that_subscribed_with_another_key_is_told(server, service, caplog):
    """The push service refuses it; the log says so, and no endpoint."""
    browser = subscribed(server, service, key="BA" + "A" * 85)
    report = push(server, HELLO)

    assert (report.failed, browser.pushes) == (1, [])
    assert "http 403" in caplog.text
    assert browser.endpoint not in caplog.text


def test_a_missing_package_is_told(server, service, caplog, monkeypatch):
    """The report of a push says how to mend it; nothing else suffers."""
    subscribed(server, service)
    monkeypatch.setitem(sys.modules, "tocsin.adapters.web_push", None)
    report = push(server, HELLO)

    assert report.failed == 1
    assert MISSING in caplog.text


def test_no_log_tells_an_endpoint_a_key_or_a_text(server, service, caplog):
    """Whatever was answered, at the most talkative level."""
    caplog.set_level(logging.DEBUG)
    browser = subscribed(server, service)
    message = PushMessage(title="a very private title", body="a very private body", data={"x": "very private data"})
    service.answer(browser, PushAnswer(), TOO_BIG, CUT, JUNK, UNAVAILABLE.after(3_600))
    for _ in range(3):
        push(server, message)
    keys = server.call(server.service.web_push._keyring.keys())
    secrets = [browser.endpoint.rpartition("/")[2], *browser.subscription["keys"].values(), "very private", "PRIVATE"]

    assert browser.pushes
    assert not [secret for secret in [*secrets, keys.private_pem, repr(keys.receipt_key)] if secret in caplog.text]
