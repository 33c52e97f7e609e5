"""Browsers that take pushes: rules, and the receipts of their service workers."""

import pytest

from tests.unit.domain.test_web_push import POINT
from tocsin.adapters.push_endpoints import NotAllowed, PushEndpoints
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.adapters.vapid import VapidKeyring
from tocsin.application.web_push import WebPush, check_subscription
from tocsin.domain.errors import Forbidden, Invalid, RateLimited
from tocsin.domain.web_push import MAX_RECEIPTS_A_MINUTE, WebPushDraft, sign_receipt

FAKE = "127.0.0.1:8030"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"


def draft(**fields):
    usual = {"user_id": "alice", "endpoint": f"http://{FAKE}/push/secret", "p256dh": POINT, "auth": AUTH}
    return WebPushDraft(**usual | fields)


class Clock:
    now = 1_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store(tmp_path, clock):
    store = SqliteStore(str(tmp_path / "tocsin.db"), clock=clock)
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
def web_push(store):
    return WebPush(store, PushEndpoints((FAKE,)), VapidKeyring(store), 20, clock=lambda: 1_000.0)


@pytest.mark.parametrize(
    "fields", [{}, {"p256dh": f"{POINT}="}, {"auth": f"{AUTH}=="}, {"user_agent": "Firefox 🦊"}, {"user_agent": None}]
)
def test_what_browsers_give_passes(fields):
    """Base64url with padding or without."""
    check_subscription(draft(**fields))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": "ftp://secret"}, "endpoint"),
        ({"endpoint": "https://secret/" + "x" * 2_048}, "endpoint"),
        ({"endpoint": "https://sécret/"}, "endpoint"),
        ({"p256dh": None}, "keys.p256dh"),
        ({"p256dh": b"secret"}, "keys.p256dh"),
        ({"p256dh": "secret"}, "keys.p256dh"),
        ({"p256dh": f"{POINT}=="}, "keys.p256dh"),
        ({"p256dh": POINT.replace("B", "C", 1)}, "keys.p256dh"),
        ({"p256dh": f"{POINT[:-1]}5"}, "keys.p256dh"),
        ({"auth": None}, "keys.auth"),
        ({"auth": "secret"}, "keys.auth"),
        ({"auth": f"{AUTH}A"}, "keys.auth"),
        ({"auth": f"{AUTH}="}, "keys.auth"),
        ({"auth": AUTH.replace("_", "/")}, "keys.auth"),
        ({"auth": f"{AUTH[:-1]}h"}, "keys.auth"),
        ({"user_agent": ""}, "user_agent"),
        ({"user_agent": "x" * 201}, "user_agent"),
    ],
)
def test_what_breaks_a_rule_is_refused(fields, field):
    """The detail names the field and tells no secret."""
    with pytest.raises(Invalid, match=f"^{field} ") as refusal:
        check_subscription(draft(**fields))

    assert "secret" not in refusal.value.detail


async def test_a_browser_is_kept_and_removed(web_push):
    """The user's own."""
    kept = await web_push.subscribe(draft())
    assert [kept] == await web_push.list("alice")

    await web_push.unsubscribe("alice", kept.endpoint)
    assert [] == await web_push.list("alice")


async def test_an_endpoint_that_leads_elsewhere_is_not_kept(web_push):
    """It is judged before it is stored."""
    with pytest.raises(NotAllowed):
        await web_push.subscribe(draft(endpoint="https://169.254.169.254/latest"))
    assert [] == await web_push.list("alice")


async def test_a_receipt_is_proof_that_a_browser_lives(web_push, clock):
    """It is seen now; as often as the proof comes."""
    kept = await web_push.subscribe(draft())
    key = (await web_push._keyring.keys()).receipt_key
    clock.now += 5_000

    for _ in range(2):
        await web_push.receive(sign_receipt(key, kept.id, "a notification"))
    (seen,) = await web_push.list("alice")
    assert (1_000, 6_000) == (kept.last_seen_at, seen.last_seen_at)


async def test_a_receipt_of_what_is_no_more_changes_nothing(web_push):
    """A push may arrive after its browser was unsubscribed."""
    key = (await web_push._keyring.keys()).receipt_key

    await web_push.receive(sign_receipt(key, "01a20706-21cc-746e-9e0e-fae2f090088c", None))


async def test_a_forged_receipt_is_refused(web_push):
    """Whoever sends it has no token."""
    kept = await web_push.subscribe(draft())

    with pytest.raises(Forbidden):
        await web_push.receive(sign_receipt(b"x" * 32, kept.id, None))


async def test_receipts_of_one_browser_are_bounded(web_push):
    """A page that has one receipt can't keep the database at work with it; other browsers go on."""
    key = (await web_push._keyring.keys()).receipt_key
    receipt = sign_receipt(key, "one", None)
    for _ in range(MAX_RECEIPTS_A_MINUTE):
        await web_push.receive(receipt)

    with pytest.raises(RateLimited):
        await web_push.receive(receipt)
    await web_push.receive(sign_receipt(key, "another", None))
