"""What the memory of the push ladder must do: each delivery held by one, and none forgotten."""

import asyncio
from dataclasses import replace

import pytest

from tocsin.adapters.sql import arrivals, devices
from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.journeys import SqlJourneys
from tocsin.adapters.sql.preferences import SqlPreferences
from tocsin.application.deliveries import Settlement
from tocsin.domain.delivery import Attempt, quiet_reason
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import NotFound
from tocsin.domain.notification import Change
from tocsin.domain.preference import Preferences
from tocsin.domain.retention import Kept
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

HOLD_MS = 15_000
ALICE = StreamKey(UserId("alice"), "/notifications")


@pytest.fixture
async def opened(open_store):
    opened = await open_store()
    await opened.store.register_device(DeviceDraft(user_id=UserId("alice"), token="t-1", platform="android"), 20)
    return opened


@pytest.fixture
def deliveries(opened):
    return SqlDeliveries(opened.store)


def settlement(due, *outcomes, due_at=None, rung=1):
    held = due.delivery
    attempts = [
        Attempt(notification_id=held.notification_id, user_id=held.user_id, channel="fcm", outcome=outcome)
        for outcome in outcomes
    ]
    return Settlement(held, attempts, rung, 0, due_at)


def quiet(due, until):
    """Return what comes of one in quiet hours."""
    held = due.delivery
    fields = {"notification_id": held.notification_id, "user_id": held.user_id, "channel": "ladder"}
    return Settlement(held, [Attempt(outcome="skipped", reason=quiet_reason(until), **fields)], 0, 0, until)


def ids(claimed):
    return [due.delivery.notification_id for due in claimed]


async def outcomes(store, notification):
    return [one.outcome for one in (await SqlJourneys(store).record(notification.id)).attempts]


async def test_only_who_can_be_sent_to_has_a_delivery(deliveries, store, draft):
    """Nobody else costs a row; what is due is due at once."""
    mine, _ = await store.create_notifications([draft(), draft("bob")])

    assert mine.created_at == await deliveries.next_due()
    assert [mine.id] == ids(await deliveries.claim(10, HOLD_MS))


async def test_the_first_device_counts_at_once(open_store, draft):
    """For what is created after it in the same transaction, too, although nobody had one when that began."""
    store = (await open_store()).store
    device = DeviceDraft(user_id=UserId("alice"), token="t-1", platform="android")
    one, two = ([arrivals.prepare(draft(), "en")] for _ in range(2))

    def operation(transaction):
        before = arrivals.create(transaction, one)
        devices.register(transaction, device, 20)
        return before + arrivals.create(transaction, two)

    made = await store.write(operation)

    assert [made[1].id] == ids(await SqlDeliveries(store).claim(10, HOLD_MS))


async def test_what_is_taken_back_late_is_no_attempt_of_the_ladder_that_has_begun_anew(deliveries, store, draft, clock):
    """A snooze may end while what was sent before it is being taken back."""
    [made] = await store.create_notifications([draft()])
    [sent] = await deliveries.claim(10, HOLD_MS)
    await deliveries.settle([settlement(sent, "sent", due_at=clock.now + 3_600_000)])
    await store.change_notification(UserId("alice"), made.id, Change(snoozed_until=clock.now + 1_000))
    [ended] = await deliveries.claim(10, HOLD_MS)
    clock.now += 1_000
    await store.change_by_time(10)
    clock.now += 1
    await deliveries.settle([settlement(ended, "retracted")])
    [again] = await deliveries.claim(10, HOLD_MS)

    assert [] == list(again.attempts)
    await deliveries.settle([settlement(again, "sent", due_at=clock.now)])
    clock.now += 1
    [once_more] = await deliveries.claim(10, HOLD_MS)
    assert ["sent"] == [one.outcome for one in once_more.attempts]


async def test_until_when_a_target_is_to_be_left_alone_is_kept(deliveries, store, draft, clock):
    """For whoever claims it next."""
    await store.create_notifications([draft()])
    (due,) = await deliveries.claim(1, HOLD_MS)
    begun = settlement(due, "retry", due_at=clock.now)
    tried = replace(begun.attempts[0], retry_at=clock.now + 3_600_000)
    await deliveries.settle([replace(begun, attempts=[tried])])
    (again,) = await deliveries.claim(1, HOLD_MS)

    assert [clock.now + 3_600_000] == [one.retry_at for one in again.attempts]


async def test_two_processes_never_hold_the_same(open_store, opened, deliveries, draft):
    """Each claims some of a hundred, and none is left."""
    other = SqlDeliveries((await open_store()).store)
    made = await opened.store.create_notifications([draft() for _ in range(100)])
    claimed = await asyncio.gather(*[one.claim(7, HOLD_MS) for one in (deliveries, other) * 8])

    assert sorted(one.id for one in made) == sorted(one for part in claimed for one in ids(part))


async def test_a_claim_brings_all_that_a_decision_needs(deliveries, store, draft, clock):
    """Also beyond what one statement reads; the unread are counted for each user."""
    await store.register_device(DeviceDraft(user_id=UserId("bob"), token="t-2", platform="web"), 20)
    await SqlPreferences(store).save(UserId("bob"), Preferences.read({"categories": {"promo": {"fcm": False}}}))
    await store.create_notifications([draft() for _ in range(70)])
    await store.create_notifications([draft("bob")])
    clock.now += 1
    claimed = await deliveries.claim(200, HOLD_MS)
    bob = claimed[-1]

    assert [70] * 70 + [1] == [due.unread for due in claimed]
    assert ["t-1"] * 70 + ["t-2"] == [due.targets["fcm"][0].token for due in claimed]
    assert all(due.notification.id == due.delivery.notification_id for due in claimed)
    assert not bob.preferences.allows("promo", "fcm")
    assert Preferences() == claimed[0].preferences


async def test_what_is_not_settled_is_due_again(deliveries, store, draft, clock):
    """Its holder has died; one that lives renews it; what the dead one says in the end is recorded and no more."""
    (made,) = await store.create_notifications([draft()])
    (first,) = await deliveries.claim(1, HOLD_MS)
    clock.now += HOLD_MS - 1
    assert [] == await deliveries.claim(1, HOLD_MS)
    await deliveries.renew([first.delivery], HOLD_MS)
    clock.now += HOLD_MS - 1
    assert [] == await deliveries.claim(1, HOLD_MS)

    clock.now += 1
    (second,) = await deliveries.claim(1, HOLD_MS)
    await deliveries.renew([first.delivery], 10 * HOLD_MS)
    await deliveries.settle([settlement(first, "retry")])
    assert [] == await deliveries.claim(1, HOLD_MS), "it is somebody else's by now"
    await deliveries.settle([settlement(second, "sent")])

    assert await deliveries.next_due() is None
    assert ["retry", "sent"] == await outcomes(store, made)


async def test_what_was_let_go_of_is_not_renewed(deliveries, store, draft, clock):
    """A renewal that waited behind what settles it changes nothing of when it is due."""
    await store.create_notifications([draft()])
    (due,) = await deliveries.claim(1, HOLD_MS)
    await deliveries.settle([settlement(due, "retry", due_at=clock.now + 10 * HOLD_MS)])
    await deliveries.renew([due.delivery], HOLD_MS)

    assert clock.now + 10 * HOLD_MS == await deliveries.next_due()


async def test_new_preferences_let_what_waits_be_planned_anew(deliveries, store, opened, draft, clock):
    """The end of quiet hours, or of a mute, was what it waited for; what is held is so when it is let go of."""
    await store.create_notifications([draft(), draft()])
    waits, held = await deliveries.claim(2, HOLD_MS)
    await deliveries.settle([quiet(waits, clock.now + 100 * HOLD_MS)])
    clock.now += 1
    await SqlPreferences(opened.store).save(UserId("alice"), Preferences())

    assert ids([waits]) == ids(await deliveries.claim(10, HOLD_MS))
    await deliveries.settle([settlement(held, due_at=clock.now + 100 * HOLD_MS)])
    assert ids([held]) == ids(await deliveries.claim(10, HOLD_MS))


async def test_new_defaults_do_so_for_everybody(deliveries, store, opened, draft, clock):
    """Who waits for the end of quiet hours; who waits for the next rung, though it was one of theirs once, does not."""
    await store.create_notifications([draft(), draft()])
    waits, other = await deliveries.claim(2, HOLD_MS)
    await deliveries.settle([quiet(waits, clock.now + 100 * HOLD_MS), quiet(other, clock.now + 1)])
    clock.now += 1
    (other,) = await deliveries.claim(2, HOLD_MS)
    await deliveries.settle([settlement(other, "sent", due_at=clock.now + 100 * HOLD_MS)])
    clock.now += 1
    await SqlPreferences(opened.store).save_defaults(Preferences())

    assert ids([waits]) == ids(await deliveries.claim(10, HOLD_MS))


async def test_a_card_that_is_renewed_goes_by_its_new_end(deliveries, store, draft, clock):
    """Nobody takes it back at the end that it had before."""
    wanted = {"group_key": "likes", "actor_id": UserId("mina"), "actor_name": "Mina"}
    await store.create_notifications([draft(**wanted, expires_at=clock.now + 60_000)])
    clock.now += 50_000
    await store.create_notifications([draft(**wanted, expires_at=clock.now + 60_000)])
    (due,) = await deliveries.claim(10, HOLD_MS)

    assert clock.now + 60_000 == due.delivery.expires_at


async def test_what_ends_while_it_is_held_is_due_at_once(deliveries, store, draft, clock):
    """What was just sent has to be taken back, whatever its holder thought."""
    acked, read, deleted, other = await store.create_notifications([draft() for _ in range(4)])
    claimed = await deliveries.claim(4, HOLD_MS)
    await store.save_acks({ALICE: acked.seq})
    await store.mark_notification_read(UserId("alice"), read.id)
    await store.delete_notification(UserId("alice"), deleted.id)
    later = clock.now + 60_000
    await deliveries.settle([settlement(due, "sent", due_at=later) for due in claimed[:2]])
    # One that its holder holds to be over is none.
    await deliveries.settle([settlement(claimed[2], "sent"), settlement(claimed[3], "sent", due_at=later)])
    again = {due.delivery.notification_id: due for due in await deliveries.claim(10, HOLD_MS)}

    ends = {acked.id: "acked", read.id: "read", deleted.id: "deleted"}
    assert ends == {known: due.delivery.ended for known, due in again.items()}
    assert all(["sent"] == [one.outcome for one in due.attempts] for due in again.values())
    assert later == (await SqlJourneys(store).record(other.id)).delivery.due_at


async def test_a_trace_outlives_its_notification_for_a_week(deliveries, store, draft, clock):
    """A deleted one can still be asked for; of one that never was nothing is known."""
    (made,) = await store.create_notifications([draft()])
    (due,) = await deliveries.claim(1, HOLD_MS)
    await deliveries.settle([settlement(due, "sent")])
    await store.delete_notification(UserId("alice"), made.id)
    assert ["sent"] == await outcomes(store, made)

    clock.forward(days=7.1)
    await store.prune(clock.now, Kept(traces_days=8))
    assert ["sent"] == await outcomes(store, made)
    await store.prune(clock.now)
    with pytest.raises(NotFound):
        await SqlJourneys(store).record(made.id)
