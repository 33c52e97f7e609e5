"""The relay over a real database: a target that asks to be left alone for a while is, whatever others need."""

import pytest

from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.journeys import SqlJourneys
from tocsin.adapters.sql.preferences import SqlPreferences
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.application.dispatch import MAX_TRIES
from tocsin.application.journeys import Journeys
from tocsin.application.push import Route
from tocsin.application.relay import Relay
from tocsin.domain.device import DeviceDraft
from tocsin.domain.ladder import Ladders
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.preference import Preferences
from tocsin.domain.push import Outcome
from tocsin.domain.timestamp import iso

LADDERS = Ladders("high: fcm 0s, fcm 10s, fcm 20s")
SENT = Outcome("sent")


class Clock:
    now = 1_700_000_000_000

    def __call__(self):
        return self.now


class Sender:
    """Answers each token as it is told, and keeps when each was asked."""

    def __init__(self, clock):
        self.clock = clock
        self.begun_at = clock.now
        self.says = {}
        self.takes_back = {}
        self.asked = []

    def seconds(self):
        return (self.clock.now - self.begun_at) / 1_000

    async def send(self, message, targets):
        self.asked += [(target.token, self.seconds()) for target in targets]
        return [self.says.get(target.token, SENT) for target in targets]

    async def retract(self, tags, targets):
        self.asked += [(f"back {target.token}", self.seconds()) for target in targets]
        return [self.takes_back.get(target.token, SENT) for target in targets]

    def asked_at(self, token):
        return [at for name, at in self.asked if name == token]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store(tmp_path, clock):
    store = SqliteStore(str(tmp_path / "t.db"), clock=clock)
    await store.start()
    for token in ("busy", "flaky"):
        await store.register_device(DeviceDraft(user_id="7", token=token, platform="android"), 20)
    yield store
    await store.stop()


@pytest.fixture
def sender(clock):
    return Sender(clock)


@pytest.fixture
def deliveries(store):
    return SqlDeliveries(store)


@pytest.fixture
def open_relay(store, sender, clock, deliveries):
    def open_relay():
        route = Route(sender, store.list_devices, store.drop_device, retract=sender.retract)
        return Relay(deliveries, [route], LADDERS, clock=clock, jitter=lambda low, _: low)

    return open_relay


async def create(store):
    draft = NotificationDraft(user_id="7", type="t", title="T", message="", priority="high")
    return (await store.create_notifications([draft]))[0].id


async def work(relay):
    while await relay.work_once():
        await relay.idle()


@pytest.fixture
def pass_time(clock, deliveries):
    """Work off what is due until an instant, in seconds since the start."""

    async def pass_time(relay, until_s):
        end = Clock.now + until_s * 1_000
        while True:
            await work(relay)
            due_at = await deliveries.next_due()
            if due_at is None or due_at > end:
                clock.now = end
                return
            clock.now = due_at

    return pass_time


async def test_who_asks_to_be_left_alone_is(*, store, open_relay, sender, pass_time):
    """Neither the next rung, nor another's retry, nor new preferences, nor another process ask sooner."""
    sender.says = {"busy": Outcome("retry", "http 429", 60.0), "flaky": Outcome("retry", "http 500")}
    await create(store)
    await pass_time(open_relay(), 30)
    await SqlPreferences(store).save("7", Preferences())
    await pass_time(open_relay(), 59)
    assert [0.0] == sender.asked_at("busy")
    sender.says = {}
    await pass_time(open_relay(), 90)

    assert [0.0, 60.0] == sender.asked_at("busy")


async def test_nobody_waits_for_what_another_was_asked(*, store, open_relay, sender, pass_time):
    """A device whose push was cut off is tried after seconds, though another must be left alone for minutes."""
    sender.says = {"busy": Outcome("retry", "http 429", 600.0), "flaky": Outcome("retry", "http 500")}
    await create(store)
    relay = open_relay()
    await pass_time(relay, 1)
    sender.says = {}
    await pass_time(relay, 5)

    assert [0.0, 2.5] == sender.asked_at("flaky")
    assert [0.0] == sender.asked_at("busy")


async def test_the_trace_tells_until_when(*, store, open_relay, sender, clock, pass_time):
    """Where the provider asked for it; what is planned is the next that anybody may be tried."""
    sender.says = {"busy": Outcome("retry", "http 429", 60.0), "flaky": Outcome("retry", "http 500")}
    made = await create(store)
    await pass_time(open_relay(), 0)
    journey = await Journeys(SqlJourneys(store), LADDERS, None, clock).trace(made)

    retries = {one.target: one.reason for one in journey.record.attempts}
    wait = f"asked to wait until {iso(Clock.now + 60_000)}"
    assert {f"http 429, {wait}", "http 500"} == set(retries.values())
    assert any(wait in step.text for step in journey.timeline)
    assert iso(Clock.now + 2_500) == journey.json()["next"]["at"]


async def test_who_asks_for_a_moment_only_is_not_given_up_sooner(*, store, open_relay, sender, pass_time):
    """Ten tries within seconds would lose what a provider that is away for a minute could take."""
    sender.says = {"busy": Outcome("retry", "http 503", 1.0)}
    await create(store)
    relay = open_relay()
    await pass_time(relay, 60)
    assert len(sender.asked_at("busy")) < MAX_TRIES
    sender.says = {}
    await pass_time(relay, 600)

    assert sender.asked_at("busy")[-1] > 60


async def test_taking_back_waits_too(*, store, open_relay, sender, clock, pass_time):
    """For whoever asks for it alone; nobody is asked twice for what is taken back, and in the end it is given up."""
    made = await create(store)
    relay = open_relay()
    await pass_time(relay, 1)
    sender.takes_back = {"busy": Outcome("retry", "http 429", 60.0), "flaky": Outcome("retry", "http 500")}
    await store.mark_notification_read("7", made)
    await pass_time(relay, 4)
    sender.takes_back.pop("flaky")
    await pass_time(relay, 62)
    assert [1.0, 61.0] == sender.asked_at("back busy")
    assert 2 <= len(sender.asked_at("back flaky")) <= 3
    await pass_time(relay, 36_000)

    attempts = (await SqlJourneys(store).record(made)).attempts
    assert MAX_TRIES == len(sender.asked_at("back busy"))
    assert ["dead", "ended"] == [one.outcome for one in attempts[-2:]]
    assert attempts[-2].reason == "taking back: http 429"


async def test_what_an_earlier_release_left_is_tried(*, store, open_relay, sender, clock, deliveries):
    """Its retries know no instant: they go by that of the ladder."""
    sender.says = {"busy": Outcome("retry", "http 500")}
    await create(store)
    relay = open_relay()
    await work(relay)
    await store.write(lambda transaction: transaction.execute("UPDATE tocsin_delivery_attempt SET retry_at = NULL", {}))
    clock.now = await deliveries.next_due()
    await work(relay)

    assert [0.0, 2.5] == sender.asked_at("busy")


async def test_who_signs_out_and_in_is_not_sent_to_again(*, store, open_relay, sender, pass_time):
    """It is the same phone: it has been sent to, and what it shows is taken back."""
    made = await create(store)
    relay = open_relay()
    await pass_time(relay, 5)
    await store.unregister_device("7", "busy", "token")
    await store.register_device(DeviceDraft(user_id="7", token="busy", platform="android"), 20)
    await pass_time(relay, 15)
    assert [0.0] == sender.asked_at("busy")

    await store.mark_notification_read("7", made)
    await work(relay)
    assert [15.0] == sender.asked_at("back busy")


async def test_what_was_muted_is_no_news_when_it_is_not_any_more(*, store, open_relay, sender, pass_time):
    """New preferences hold for what is pushed after them, and push nothing that is a day old."""
    preferences = SqlPreferences(store)
    await preferences.save("7", Preferences.read({"categories": {"*": {"fcm": False}}}))
    await create(store)
    relay = open_relay()
    await pass_time(relay, 86_400)
    await preferences.save("7", Preferences())
    await work(relay)
    assert [] == sender.asked

    await create(store)
    await work(relay)
    assert 1 == len(sender.asked_at("busy"))
