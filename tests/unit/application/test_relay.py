"""The relay over a real database: what it sends once, and what becomes of it when the database or a sender fails."""

import asyncio
from dataclasses import replace

import pytest

from tests.acceptance.wire_socket import eventually
from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.journeys import SqlJourneys
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.application import relay as module
from tocsin.application.dispatch import MAX_TRIES
from tocsin.application.push import Route
from tocsin.application.relay import Relay
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import StorageFull
from tocsin.domain.ladder import Ladders
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.push import Outcome
from tocsin.domain.stream import StreamKey


class Clock:
    now = 1_700_000_000_000

    def __call__(self):
        return self.now


class Sender:
    """Answers as it is told, and keeps what it was given."""

    def __init__(self):
        self.sent = []
        self.retracted = []
        self.outcome = Outcome("sent")
        self.taken_back = Outcome("sent")
        self.gate = None

    async def send(self, message, targets):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.sent += [(message.tag, target.token) for target in targets]
        if self.gate is not None:
            await self.gate.wait()
        return [self.outcome] * len(targets)

    async def retract(self, tags, targets):
        self.retracted += [(*tags, target.token) for target in targets]
        return [self.taken_back] * len(targets)


class Deliveries(SqlDeliveries):
    """Refuses to record for a while, and counts renewals, of which some may fail."""

    refusals = 0
    renewals = 0
    fails_to_renew = ()

    async def renew(self, held, hold_ms):
        self.renewals += 1
        if self.renewals in self.fails_to_renew:
            raise self.fails_to_renew[self.renewals]
        await super().renew(held, hold_ms)

    async def settle(self, settlements):
        if self.refusals:
            self.refusals -= 1
            raise StorageFull("the disk is full")
        await super().settle(settlements)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store(tmp_path, clock):
    store = SqliteStore(str(tmp_path / "t.db"), clock=clock)
    await store.start()
    await store.register_device(DeviceDraft(user_id="7", token="t-1", platform="android"), 20)
    yield store
    await store.stop()


@pytest.fixture
def sender():
    return Sender()


@pytest.fixture
def deliveries(store):
    return Deliveries(store)


@pytest.fixture
def open_relay(store, sender, clock, deliveries):
    def open_relay():
        route = Route(sender, store.list_devices, store.drop_device, retract=sender.retract)
        return Relay(deliveries, [route], Ladders("high: fcm 0s"), clock=clock, jitter=lambda low, _: low)

    return open_relay


async def create(store, **fields):
    draft = NotificationDraft(user_id="7", type="t", title="T", message="", priority="high", **fields)
    return (await store.create_notifications([draft]))[0].id


async def work(relay):
    while await relay.work_once():
        await relay.idle()


async def test_one_is_sent_once(store, open_relay, sender):
    """By whichever relay is first."""
    made = await create(store)
    await asyncio.gather(*[work(open_relay()) for _ in range(3)])

    assert [(made, "t-1")] == sender.sent


async def test_what_is_sent_and_can_not_be_recorded_is_not_sent_again(
    store, open_relay, sender, deliveries, monkeypatch
):
    """It is recorded as soon as the disk has room."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    made = await create(store)
    deliveries.refusals = 3
    await work(open_relay())

    assert [(made, "t-1")] == sender.sent
    assert ["sent"] == [one.outcome for one in (await SqlJourneys(store).record(made)).attempts]


async def test_what_is_recorded_after_its_lease_is_not_sent_again(
    *, store, open_relay, sender, deliveries, clock, monkeypatch
):
    """A database that was away for longer is told first what was sent, and asked then what is due."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    made = await create(store)
    deliveries.refusals = 1_000_000
    relay = open_relay()
    await relay.work_once()
    await eventually(lambda: deliveries.refusals < 1_000_000)
    clock.now += module.HOLD_MS
    assert 0 == await relay.work_once()
    deliveries.refusals = 0
    await relay.idle()
    await work(relay)

    assert [(made, "t-1")] == sender.sent


async def test_what_is_read_while_it_is_sent_is_taken_back(store, open_relay, sender):
    """The end is seen by whoever holds it, when it lets go."""
    sender.gate = asyncio.Event()
    made = await create(store)
    relay = open_relay()
    await relay.work_once()
    await store.mark_notification_read("7", made)
    assert 0 == await relay.work_once()
    sender.gate.set()
    await relay.idle()
    await work(relay)

    assert [(made, "t-1")] == sender.retracted


async def test_a_relay_that_died_lets_go_by_time(store, open_relay, sender, clock, deliveries):
    """Its delivery is another's afterwards, and what it still says then moves nothing."""
    made = await create(store)
    (held,) = await deliveries.claim(10, module.HOLD_MS)
    assert 0 == await open_relay().work_once()
    clock.now += module.HOLD_MS
    await work(open_relay())
    await deliveries.settle([module.Settlement(held.delivery, [], 0, 0, clock.now)])

    assert [(made, "t-1")] == sender.sent
    assert 0 == await open_relay().work_once()


async def test_one_that_lives_keeps_what_it_holds(store, open_relay, clock, deliveries):
    """As long as it renews."""
    await create(store)
    (held,) = await deliveries.claim(10, module.HOLD_MS)
    clock.now += module.HOLD_MS - 1
    await deliveries.renew([held.delivery], module.HOLD_MS)
    clock.now += module.HOLD_MS - 1

    assert 0 == await open_relay().work_once()


async def test_what_is_slow_to_send_is_held_until_it_is_sent(
    *, store, open_relay, sender, clock, deliveries, monkeypatch
):
    """However often its time is over meanwhile, and though the database was away or out of its mind for a while."""
    monkeypatch.setattr(module, "RENEW_S", 0.01)
    deliveries.fails_to_renew = {2: StorageFull("the disk is full"), 3: RuntimeError("odd")}
    sender.gate = asyncio.Event()
    made = await create(store)
    relay = open_relay()
    relay.start()
    await eventually(lambda: sender.sent)
    for _ in range(4):
        renewed = deliveries.renewals
        await eventually(lambda: deliveries.renewals >= renewed + 4)  # noqa: B023 called before the next round
        clock.now += module.HOLD_MS - 1
        assert 0 == await open_relay().work_once()
    sender.gate.set()
    await relay.stop()

    assert [(made, "t-1")] == sender.sent
    assert ["sent"] == [one.outcome for one in (await SqlJourneys(store).record(made)).attempts]


async def test_it_gives_up_after_ten_tries(*, store, open_relay, sender, clock, deliveries, caplog):
    """Each later than the one before; the log and the trace tell."""
    sender.outcome = Outcome("retry", "http 500")
    made = await create(store)
    relay = open_relay()
    waits = []
    for _ in range(MAX_TRIES + 2):
        await work(relay)
        due_at = await deliveries.next_due()
        waits.append(due_at - clock.now)
        clock.now = due_at
        if len(sender.sent) == MAX_TRIES:
            break

    outcomes = [one.outcome for one in (await SqlJourneys(store).record(made)).attempts]
    assert ["retry"] * (MAX_TRIES - 1) + ["dead"] == outcomes
    assert sorted(waits[:-1]) == waits[:-1]
    assert f"gave up on notification {made}" in caplog.text


async def test_retry_after_is_honoured(store, open_relay, sender, clock, deliveries):
    """Not a moment earlier."""
    sender.outcome = Outcome("retry", "http 429", 40.0)
    await create(store)
    await work(open_relay())

    assert clock.now + 40_000 <= await deliveries.next_due()


@pytest.fixture
def other():
    """The sender of another channel."""
    return Sender()


@pytest.fixture
def open_both(store, sender, other, clock, deliveries):
    async def find(user_id):
        return [replace(one, id=f"other {one.id}") for one in await store.list_devices(user_id)]

    def open_both():
        routes = [
            Route(sender, store.list_devices, store.drop_device, retract=sender.retract),
            Route(other, find, store.drop_device, "channels"),
        ]
        return Relay(deliveries, routes, Ladders("high: fcm 0s, channels 0s"), clock=clock, jitter=lambda low, _: low)

    return open_both


async def test_a_sender_that_fails_takes_nothing_from_another(
    *, store, open_both, sender, other, clock, deliveries, caplog
):
    """What the other has sent is recorded, and not sent again when it is tried again; no text gets into the log."""
    other.outcome = ImportError("what the words of an error hold")
    made = await create(store)
    relay = open_both()
    await work(relay)
    clock.now = await deliveries.next_due()
    other.outcome = Outcome("sent")
    await work(relay)

    tried = [(one.channel, one.outcome) for one in (await SqlJourneys(store).record(made)).attempts]
    assert [("channels", "retry"), ("channels", "sent"), ("fcm", "sent")] == sorted(tried)
    assert 1 == len(sender.sent)
    assert "the sender of channels failed: ImportError" in caplog.text
    assert "the words of an error" not in caplog.text


async def test_taking_back_has_tries_of_its_own(*, store, open_both, sender, other, clock, deliveries):
    """However often another channel was tried, a provider that is away for a moment is asked again."""
    other.outcome = Outcome("retry", "http 500")
    made = await create(store)
    relay = open_both()
    for _ in range(MAX_TRIES - 1):
        await work(relay)
        clock.now = await deliveries.next_due()
    sender.taken_back = Outcome("retry", "http 500")
    await store.mark_notification_read("7", made)
    await work(relay)
    sender.taken_back = Outcome("sent")
    clock.now = await deliveries.next_due()
    await work(relay)

    assert 2 == len(sender.retracted)
    assert await deliveries.next_due() is None


async def test_who_has_nothing_to_send_to_has_no_ladder(store, deliveries):
    """It costs no row."""
    draft = NotificationDraft(user_id="8", type="t", title="T", message="", priority="high")
    (made,) = await store.create_notifications([draft])

    assert await deliveries.next_due() is None
    assert (await SqlJourneys(store).record(made.id)).delivery is None


async def test_an_ack_ends_what_it_covers(store, open_relay, sender, deliveries):
    """And nothing that comes after."""
    first, second = await create(store), await create(store)
    await store.save_acks({StreamKey("7", "/notifications"): 1})
    await work(open_relay())

    assert [(second, "t-1")] == sender.sent
    assert "acked" == (await SqlJourneys(store).record(first)).attempts[-1].reason


async def test_preferences_that_can_not_be_read_hold_nobody_back(store, open_relay, sender, caplog):
    """As of a time zone that only another machine knows."""
    body = b'{"quiet_hours": {"from": "00:00", "until": "23:59", "time_zone": "Mars/Olympus"}}'
    await store.write(
        lambda transaction: transaction.execute("INSERT INTO tocsin_preference VALUES (?, ?, 0)", ("7", body))
    )
    made = await create(store)
    await work(open_relay())

    assert [(made, "t-1")] == sender.sent
    assert "can't be read" in caplog.text


async def test_what_providers_answered_is_told_to_the_tracing(store, sender, clock, deliveries):
    """By notification and channel, one answer a target; what is not due is nobody's."""
    told = []

    class Recorder:
        def pushed(self, notification_id, channel, begun_at, results):
            told.append((notification_id, channel, begun_at > 0, results))

    route = Route(sender, store.list_devices, store.drop_device, retract=sender.retract)
    relay = Relay(deliveries, [route], Ladders("high: fcm 0s"), clock=clock, tracing=Recorder())
    made = await create(store)
    await work(relay)

    assert [(made, "fcm", True, ["sent"])] == told


async def test_what_comes_of_deliveries_is_counted(store, open_relay, sender):
    """By channel and outcome, and what the provider answered by its route."""
    await create(store)
    relay = open_relay()
    await work(relay)

    assert {("fcm", "sent"): 1} == {step: n for step, n in relay.attempts.items() if step[0] == "fcm"}
    assert 0 == relay.under_way
