"""Web Push over a real connection: who may subscribe a browser to what, and what is shown of it."""

import itertools
import logging

import pytest

from tocsin.domain.web_push import is_public_key, sign_receipt
from tocsin.testing.web_push import FakePushService

SUBSCRIPTIONS = "/api/webpush/subscriptions"
RECEIPTS = "/api/webpush/receipts"
KEY = "/api/webpush/public-key"
_users = itertools.count(1)


@pytest.fixture(scope="module")
def service():
    with FakePushService() as service:
        yield service


@pytest.fixture(scope="module")
def server(start_shared_server, service):
    return start_shared_server(webpush_hosts=service.host)


@pytest.fixture
def user():
    return f"user {next(_users)}"


@pytest.fixture
def browser(service):
    return service.subscribe()


def save(server, user, subscription, **headers):
    return server.http.post(SUBSCRIPTIONS, headers=server.bearer(user) | headers, json=subscription)


def delete(server, user, body, **headers):
    return server.http.request("DELETE", SUBSCRIPTIONS, headers=server.bearer(user) | headers, json=body)


def kept(server, user):
    return server.call(server.service.web_push.list(user))


def test_every_user_gets_the_one_public_key(server, user):
    """A point of P-256 in base64url, the same for all and for ever."""
    first, second = (server.http.get(KEY, headers=server.bearer(one)) for one in (user, "another"))

    assert first.status_code == 200
    assert first.json() == second.json()
    assert is_public_key(first.json()["public_key"])


def test_the_key_outlives_the_server(start_server, tmp_path):
    """Browsers subscribe to this very key."""
    database = {"database_url": f"sqlite:///{tmp_path / 'kept.db'}"}
    answers = []
    for _ in range(2):
        server = start_server(**database)
        answers.append(server.http.get(KEY, headers=server.bearer(7)).json())
        server.stop()

    assert answers[0] == answers[1]


def test_a_subscription_is_kept_and_removed(server, user, browser):
    """The browser's JSON as it is; the answer shows neither the endpoint nor a key."""
    answer = save(server, user, browser.subscription, **{"User-Agent": "Firefox/130"})
    (one,) = kept(server, user)

    assert answer.status_code == 201
    assert answer.json() == one.json()
    assert answer.json().keys() == {"id", "created_at"}
    assert (one.endpoint, one.user_agent) == (browser.endpoint, "Firefox/130")
    assert delete(server, user, {"endpoint": browser.endpoint}).status_code == 204
    assert kept(server, user) == []


@pytest.mark.parametrize("expires", [None, 0, 1_795_348_800_000, 1_795_348_800_000.5])
def test_browsers_may_say_when_it_expires(server, user, browser, expires):
    """Null in nearly all of them; some leave it out."""
    assert save(server, user, browser.subscription | {"expirationTime": expires}).status_code == 201
    del browser.subscription["expirationTime"]
    assert save(server, user, browser.subscription).status_code == 201


def test_the_same_endpoint_again_is_an_update(server, user, service, browser):
    """Pages send it at each visit: one row with the keys given now."""
    first = save(server, user, browser.subscription).json()
    renewed = browser.subscription | {"keys": service.subscribe().subscription["keys"]}
    again = save(server, user, renewed).json()
    (one,) = kept(server, user)

    assert first == again
    assert one.p256dh == renewed["keys"]["p256dh"]


def test_a_browser_that_changed_hands_is_its_new_users(server, user, browser):
    """What is meant for the former user must not appear on it."""
    hers = save(server, user, browser.subscription).json()
    his = save(server, f"{user} b", browser.subscription).json()

    assert hers["id"] != his["id"]
    assert kept(server, user) == []
    assert delete(server, user, {"endpoint": browser.endpoint}).status_code == 404
    assert [one.id for one in kept(server, f"{user} b")] == [his["id"]]


def test_anothers_subscription_answers_as_a_missing_one(server, user, browser):
    """Whatever scope the token has; nobody learns whether an endpoint is known."""
    save(server, user, browser.subscription)
    thief = server.bearer(f"{user} b", "publish admin")
    foreign, missing = (
        server.http.request("DELETE", SUBSCRIPTIONS, headers=thief, json={"endpoint": one})
        for one in (browser.endpoint, f"{browser.endpoint}-missing")
    )

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content
    assert [name for name in foreign.headers if name != "date"] == [name for name in missing.headers if name != "date"]
    assert len(kept(server, user)) == 1


def test_one_too_many_replaces_the_oldest(start_server, service):
    """A new browser always works."""
    server = start_server(limit_user_devices=2, webpush_hosts=service.host)
    browsers = [service.subscribe() for _ in range(3)]
    for browser in browsers:
        assert save(server, 7, browser.subscription).status_code == 201

    assert {one.endpoint for one in kept(server, "7")} == {browser.endpoint for browser in browsers[1:]}


@pytest.mark.parametrize(("method", "path"), [("GET", KEY), ("POST", SUBSCRIPTIONS), ("DELETE", SUBSCRIPTIONS)])
def test_nothing_without_a_token(server, browser, method, path):
    """A service worker's receipt alone needs none."""
    answer = server.http.request(method, path, json=browser.subscription)

    assert answer.status_code == 401


def without(subscription, name):
    return {key: value for key, value in subscription.items() if key != name}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda one: without(one, "endpoint"), "endpoint"),
        (lambda one: without(one, "keys"), "keys"),
        (lambda one: one | {"keys": without(one["keys"], "auth")}, "keys.auth"),
        (lambda one: one | {"keys": one["keys"] | {"auth": 7}}, "keys.auth"),
        (lambda one: one | {"keys": one["keys"] | {"auth": "secret"}}, "keys.auth"),
        (lambda one: one | {"keys": one["keys"] | {"auth": "+" * 22}}, "keys.auth"),
        (lambda one: one | {"keys": one["keys"] | {"p256dh": "secret"}}, "keys.p256dh"),
        (lambda one: one | {"keys": one["keys"] | {"p256dh": "B" + "A" * 86}}, "keys.p256dh"),
        (lambda one: one | {"keys": one["keys"] | {"private": "secret"}}, "keys.private"),
        (lambda one: one | {"endpoint": ["secret"]}, "endpoint"),
        (lambda one: one | {"endpoint": "secret"}, "endpoint"),
        (lambda one: one | {"endpoint": one["endpoint"] + "\n"}, "endpoint"),
        (lambda one: one | {"endpoint": one["endpoint"] + "x" * 2_048}, "endpoint"),
        (lambda one: one | {"endpoint": "https://169.254.169.254/latest/secret"}, "endpoint"),
        (lambda one: one | {"endpoint": "https://secret@fcm.googleapis.com/x"}, "endpoint"),
        (lambda one: one | {"expirationTime": "never"}, "expirationTime"),
        (lambda one: one | {"expirationTime": -1}, "expirationTime"),
        (lambda one: one | {"user_id": "somebody else"}, "user_id"),
        (lambda one: one | {"id": "mine"}, "id"),
    ],
)
def test_what_breaks_a_rule_is_refused(server, user, browser, change, field):
    """The detail names the field and repeats no secret; nothing is kept."""
    answer = save(server, user, change(browser.subscription))

    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert "secret" not in answer.text
    assert browser.endpoint not in answer.text
    assert kept(server, user) == []


def test_writes_take_a_key(server, user, browser):
    """A repeat gets the first answer; another request under the key is refused."""
    key = {"Idempotency-Key": f"save {user}"}
    first, again = (save(server, user, browser.subscription, **key) for _ in range(2))
    removed = [delete(server, user, {"endpoint": browser.endpoint}, **{"Idempotency-Key": user}) for _ in range(2)]

    assert first.content == again.content
    assert [answer.status_code for answer in removed] == [204, 204]
    other = delete(server, user, {"endpoint": f"{browser.endpoint}-other"}, **{"Idempotency-Key": user})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


@pytest.mark.parametrize("event", ["shown", "clicked", "closed"])
def test_a_receipt_needs_no_token(server, user, browser, event):
    """Its signature is the right; once more is as once."""
    identity = save(server, user, browser.subscription).json()["id"]
    (before,) = kept(server, user)
    receipt = sign_receipt(server.call(server.service.web_push._keyring.keys()).receipt_key, identity, "n-1")
    answers = [server.http.post(RECEIPTS, json={"receipt": receipt, "event": event}) for _ in range(2)]
    (after,) = kept(server, user)

    assert [answer.status_code for answer in answers] == [204, 204]
    assert after.last_seen_at >= before.last_seen_at


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"receipt": "forged", "event": "shown"}, 403),
        ({"receipt": "a" * 40 + "." + "b" * 22, "event": "shown"}, 403),
        ({"receipt": "", "event": "shown"}, 422),
        ({"receipt": "a" * 513, "event": "shown"}, 422),
        ({"receipt": 7, "event": "shown"}, 422),
        ({"receipt": "forged", "event": "hidden"}, 422),
        ({"receipt": "forged"}, 422),
        ({"receipt": "forged", "event": "shown", "user_id": 7}, 422),
        ({"receipt": "a" * 1_000_000, "event": "shown"}, 413),
    ],
)
def test_other_receipts_are_refused(server, body, status):
    """Forged, malformed, too big."""
    assert server.http.post(RECEIPTS, json=body).status_code == status


def test_receipts_of_one_browser_are_bounded(server):
    """The refusal says when to come again."""
    receipt = sign_receipt(server.call(server.service.web_push._keyring.keys()).receipt_key, "one", None)
    answers = [server.http.post(RECEIPTS, json={"receipt": receipt, "event": "shown"}) for _ in range(130)]

    assert answers[0].status_code == 204
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_foreign_page_gets_nothing(server, browser):
    """The rule of origins holds for service workers, too."""
    answer = server.http.post(RECEIPTS, headers={"Origin": "https://evil.example"}, json={})

    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


def test_no_log_shows_an_endpoint_or_a_key(server, user, browser, caplog):
    """Neither of what was accepted nor of what was refused."""
    caplog.set_level(logging.DEBUG)
    save(server, user, browser.subscription)
    save(server, user, browser.subscription | {"endpoint": f"{browser.endpoint} broken"})
    delete(server, f"{user} b", {"endpoint": browser.endpoint})
    delete(server, user, {"endpoint": browser.endpoint})

    for secret in (browser.endpoint.rpartition("/")[2], *browser.subscription["keys"].values()):
        assert secret not in caplog.text
