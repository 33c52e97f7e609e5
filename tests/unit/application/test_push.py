"""What becomes of a push: tries, waits, removals. The providers are scripted."""

import asyncio
import logging

import pytest

from tocsin.application.push import Push, PushReport, Route, draft_push
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import Invalid, Overloaded, PayloadTooBig
from tocsin.domain.push import Outcome, PushMessage

MESSAGE = PushMessage(title="Order shipped", body="It left Busan")
SENT = Outcome("sent", provider_id="p1")
GONE = Outcome("gone", "UNREGISTERED")
REFUSED = Outcome("refused", "SENDER_ID_MISMATCH")
BUSY = Outcome("retry", "UNAVAILABLE")


class ScriptedSender:
    """Answers each token as told, then that it was sent."""

    def __init__(self):
        self.script = {}
        self.tries = []

    async def start(self):
        pass

    async def stop(self):
        pass

    async def send(self, message, targets):
        self.tries += [(device.token, message.tag) for device in targets]
        return [self.script[one.token].pop(0) if self.script.get(one.token) else SENT for one in targets]


class Time:
    """Stands still but for those who sleep; `at_sleep` happens meanwhile."""

    def __init__(self):
        self.now = 0.0
        self.slept = []
        self.at_sleep = None

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        if self.at_sleep is not None:
            await self.at_sleep()
        self.now += seconds


@pytest.fixture
def sender():
    return ScriptedSender()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def push(store, sender, time):
    route = Route(sender, store.list_devices, store.drop_device)
    return Push([route], sleep=time.sleep, clock=time, jitter=lambda _, most: most)


async def register(store, token, user_id="alice"):
    return await store.register_device(DeviceDraft(user_id=user_id, token=token, platform="ios"), 20)


async def tokens(store, user_id="alice"):
    return {device.token for device in await store.list_devices(user_id)}


async def test_every_device_of_the_user_gets_it(store, push, sender):
    """And nobody else's."""
    for token, user in (("a", "alice"), ("b", "alice"), ("c", "bob")):
        await register(store, token, user)

    assert PushReport(sent=2) == await push.send("alice", MESSAGE)
    assert {("a", MESSAGE.tag), ("b", MESSAGE.tag)} == set(sender.tries)


async def test_nobody_to_send_to_is_no_error(push, sender):
    """The provider is not asked."""
    assert PushReport() == await push.send("alice", MESSAGE)
    assert [] == sender.tries


async def test_what_is_gone_is_removed(store, push, sender):
    """Alone."""
    await register(store, "dead")
    await register(store, "alive")
    sender.script = {"dead": [GONE]}

    assert PushReport(sent=1, gone=1) == await push.send("alice", MESSAGE)
    assert {"alive"} == await tokens(store)


async def test_what_was_registered_again_meanwhile_is_not_removed(store, push, sender, time):
    """The provider spoke of what is no more."""
    await register(store, "phone")
    sender.script = {"phone": [BUSY, GONE]}

    async def change_hands():
        await register(store, "phone", "bob")

    time.at_sleep = change_hands
    assert PushReport(skipped=1) == await push.send("alice", MESSAGE)
    assert {"phone"} == await tokens(store, "bob")
    assert 1 == len(sender.tries)


async def test_what_is_refused_is_not_tried_again(store, push, sender, caplog):
    """The log tells the reason, and no token."""
    await register(store, "very-secret-token")
    sender.script = {"very-secret-token": [REFUSED]}
    with caplog.at_level(logging.DEBUG):
        assert PushReport(failed=1) == await push.send("alice", MESSAGE)

    assert ["a push did not reach 1 of 1 targets: SENDER_ID_MISMATCH ×1"] == [
        record.getMessage() for record in caplog.records if record.name.startswith("tocsin")
    ]
    assert "very-secret-token" not in caplog.text
    assert {"very-secret-token"} == await tokens(store)


async def test_a_sender_that_fails_takes_nothing_from_another(store, sender, time, caplog):
    """Whoever is told of a failure would send again what the other has sent; it is tried again by itself."""
    await register(store, "phone")
    broken = ScriptedSender()
    send = broken.send
    failures = [Overloaded("the keys can't be read now"), KeyError("words that nobody may see")]

    async def fail(message, targets):
        if failures:
            raise failures.pop()
        return await send(message, targets)

    broken.send = fail
    routes = [Route(one, store.list_devices, store.drop_device) for one in (broken, sender)]
    push = Push(routes, sleep=time.sleep, clock=time, jitter=lambda _, most: most)

    assert PushReport(sent=2) == await push.send("alice", MESSAGE)
    assert (1, 1) == (len(sender.tries), len(broken.tries))
    assert "KeyError" in caplog.text
    assert "nobody may see" not in caplog.text


async def test_what_is_busy_is_tried_again_with_growing_waits(store, push, sender, time):
    """At most four times, with the same tag: a try whose answer was lost is replaced on the device."""
    await register(store, "phone")
    sender.script = {"phone": [BUSY] * 9}

    assert PushReport(failed=1) == await push.send("alice", MESSAGE)
    assert [1.0, 2.0, 4.0, 8.0] == time.slept
    assert [("phone", MESSAGE.tag)] * 5 == sender.tries


async def test_retry_after_is_kept_to(store, push, sender, time):
    """Exactly, in place of the back-off."""
    await register(store, "phone")
    sender.script = {"phone": [Outcome("retry", "QUOTA_EXCEEDED", 17.5)]}

    assert PushReport(sent=1) == await push.send("alice", MESSAGE)
    assert [17.5] == time.slept


@pytest.mark.parametrize("seconds", [61.0, 1e12])
async def test_nobody_waits_longer_than_a_minute(store, push, sender, time, seconds):
    """Who is told to come later than that fails at once."""
    await register(store, "phone")
    sender.script = {"phone": [Outcome("retry", "UNAVAILABLE", seconds)]}

    assert PushReport(failed=1) == await push.send("alice", MESSAGE)
    assert [] == time.slept


async def test_one_that_is_busy_holds_up_no_other(store, push, sender, time):
    """Only itself is tried again."""
    await register(store, "busy")
    await register(store, "phone")
    sender.script = {"busy": [BUSY]}

    assert PushReport(sent=2) == await push.send("alice", MESSAGE)
    assert ["busy", "busy", "phone"] == sorted(token for token, _ in sender.tries)


async def test_a_device_that_was_unregistered_meanwhile_gets_nothing(store, push, sender, time):
    """Its second try is skipped."""
    await register(store, "phone")
    sender.script = {"phone": [BUSY]}

    async def log_out():
        await store.unregister_all_devices("alice")

    time.at_sleep = log_out
    assert PushReport(skipped=1) == await push.send("alice", MESSAGE)
    assert 1 == len(sender.tries)


async def test_a_store_that_can_not_remove_fails_no_push(store, sender, caplog):
    """The next push is told again that it is gone."""
    await register(store, "dead")
    sender.script = {"dead": [GONE]}

    async def busy(_):
        raise Overloaded("the intake is full")

    assert PushReport(gone=1) == await Push([Route(sender, store.list_devices, busy)]).send("alice", MESSAGE)
    assert "a target that is gone was not removed: the intake is full" in caplog.text


async def test_a_store_that_can_not_be_read_is_told_before_anything_is_sent(store, sender):
    """Whoever calls again after the refusal sends nothing twice."""
    devices = [await register(store, "phone")]

    async def found(user_id):
        return devices

    async def busy(user_id):
        await asyncio.sleep(0)
        raise Overloaded("busy")

    push = Push([Route(sender, found, store.drop_device), Route(sender, busy, store.drop_device)])

    with pytest.raises(Overloaded):
        await push.send("alice", MESSAGE)
    assert sender.tries == []


async def test_a_store_that_can_not_be_read_between_two_tries_takes_back_no_answer(store, sender, time):
    """What the other device got is told, and the busy one has its further tries."""
    for token in ("a", "b"):
        await register(store, token)
    sender.script = {"b": [BUSY]}
    answers = [None, Overloaded("busy"), None]

    async def find(user_id):
        if (error := answers.pop(0)) is not None:
            raise error
        return await store.list_devices(user_id)

    push = Push([Route(sender, find, store.drop_device)], sleep=time.sleep, clock=time, jitter=lambda _, most: most)

    assert PushReport(sent=2) == await push.send("alice", MESSAGE)
    assert ["a", "b", "b"] == [token for token, _ in sorted(sender.tries)]


async def test_a_stop_ends_every_wait(store, sender):
    """Who waits for its second try fails at once, and so does what comes later."""
    waits = asyncio.Event()

    async def sleep(_):
        waits.set()
        await asyncio.Event().wait()

    push = Push([Route(sender, store.list_devices, store.drop_device)], sleep=sleep)
    await register(store, "phone")
    sender.script = {"phone": [BUSY]}
    pushing = asyncio.create_task(push.send("alice", MESSAGE))
    await waits.wait()
    await push.stop()

    assert PushReport(failed=1) == await pushing
    assert PushReport(failed=1) == await push.send("alice", MESSAGE)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": None}, "title"),
        ({"message": "x" * 4_001}, "message"),
        ({"message": "\ud800"}, "message"),
        ({"data": [1]}, "data"),
        ({"data": {"at": object()}}, "data"),
        ({"collapse_key": ""}, "collapse_key"),
        ({"collapse_key": "x" * 65}, "collapse_key"),
        ({"ttl_s": -1}, "ttl_s"),
        ({"ttl_s": 1.5}, "ttl_s"),
        ({"ttl_s": 28 * 86_400 + 1}, "ttl_s"),
        ({"priority": "now"}, "priority"),
        ({"badge": -1}, "badge"),
        ({"badge": True}, "badge"),
        ({"link": "http://example.com"}, "link"),
        ({"link": "//example.com"}, "link"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"link": 5}, "link"),
    ],
)
def test_what_breaks_a_rule_is_refused(fields, field):
    """The detail names the field."""
    with pytest.raises(Invalid, match=f"^{field} "):
        draft_push(**({"title": "t", "message": "m"} | fields))


def test_data_have_a_limit():
    """The one of notifications."""
    with pytest.raises(PayloadTooBig):
        draft_push("t", "m", {"blob": "x" * 17_000})


def test_what_passes_is_copied():
    """A dictionary that changes later changes nothing."""
    data = {"order_id": 5}
    message = draft_push("t", "m", data, ttl_s=0, badge=0, link="/orders/5", collapse_key="orders", priority="urgent")
    data["order_id"] = 6

    assert ({"order_id": 5}, 0, 0, "/orders/5", "orders", "urgent") == (
        message.data,
        message.ttl_s,
        message.badge,
        message.link,
        message.collapse_key,
        message.priority,
    )
