"""What meets on its way through an inbox: claims and schedules, snoozes and digests, groups and pushes."""

import pytest

from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.preferences import SqlPreferences
from tocsin.application.deliveries import Settlement
from tocsin.domain.delivery import Attempt
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import AlreadyClaimed
from tocsin.domain.notification import Change, InboxFilter
from tocsin.domain.preference import Preferences
from tocsin.domain.user_id import UserId

ALICE = UserId("alice")
HOUR_MS = 3_600_000


async def listed(store, user=ALICE, **wanted):
    return (await store.list_notifications(user, InboxFilter(**wanted), before=None, limit=100)).notifications


async def prefer(store, **rule):
    await SqlPreferences(store).save(ALICE, Preferences.read({"categories": {"likes": rule}}))


async def test_scheduled_claimable_has_one_winner(store, clock, draft):
    """A schedule of 150 comes in parts of 100: who is in the second part can claim again."""
    users = [f"u{n:03}" for n in range(150)]
    await store.schedule_notifications([draft(u, claim_id="c-1") for u in users], clock.now + HOUR_MS)
    clock.forward(hours=1)
    await store.change_by_time(100)
    first = next(iter([u for u in users if await listed(store, UserId(u))]))
    (one,) = await listed(store, UserId(first))
    await store.claim_notification(UserId(first), one.id)
    await store.change_by_time(100)
    for u in reversed(users):
        (other,) = await listed(store, UserId(u))
        if other.claimed_by is None:
            with pytest.raises(AlreadyClaimed):
                await store.claim_notification(UserId(u), other.id)
            break


async def test_claimed_while_it_waits_is_not_pushed(store, clock, draft):
    """Nobody is called to what somebody else has taken."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    deliveries = SqlDeliveries(store)
    mine, his = await store.create_notifications([draft(claim_id="c"), draft("bob", claim_id="c")])
    await store.change_notification(ALICE, mine.id, Change(snoozed_until=clock.now + HOUR_MS))
    await store.claim_notification(UserId("bob"), his.id)
    for due in await deliveries.claim(10, 1000):
        await deliveries.settle([Settlement(due.delivery, [], 0, 0, None)])
    assert await deliveries.next_due() is None
    clock.forward(hours=1)
    await store.change_by_time(100)
    assert await deliveries.next_due() is None, "pushed about what bob has claimed"


async def test_a_group_member_counted_already_is_not_pushed_again(store, draft):
    """The same person once more is no news."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    deliveries = SqlDeliveries(store)

    async def like():
        (card,) = await store.create_notifications([draft(group_key="g", actor_id=UserId("mina"), actor_name="Mina")])
        due = await deliveries.claim(10, 1000)
        await deliveries.settle([Settlement(one.delivery, [], 0, 0, None) for one in due])
        return card, len(due)

    (first, pushed), (second, again) = await like(), await like()

    assert (first.id, 1, 1, 0) == (second.id, second.group_count, pushed, again)


async def test_what_is_snoozed_longer_than_its_digest_stays_snoozed(store, clock, draft):
    """A user's own snooze stands above the digest's hour."""
    await prefer(store, digest="hourly")
    a, *_ = [(await store.create_notifications([draft(category="likes", title=t)]))[0] for t in "abc"]
    clock.now += 1000
    await store.change_notification(ALICE, a.id, Change(snoozed_until=clock.now + 7 * 24 * HOUR_MS))
    clock.forward(hours=1)
    await store.change_by_time(100)
    assert [a.id] == [n.id for n in await listed(store, place="snoozed")], (
        "the user's snooze was swallowed by the digest"
    )


async def test_items_of_a_come_digest_snoozed_apart_come_back_apart(store, clock, draft):
    """Each at its own time."""
    await prefer(store, digest="hourly")
    a, b, _ = [(await store.create_notifications([draft(category="likes", title=t)]))[0] for t in "abc"]
    clock.forward(hours=1)
    await store.change_by_time(100)
    await store.change_notification(ALICE, a.id, Change(snoozed_until=clock.now + HOUR_MS))
    await store.change_notification(ALICE, b.id, Change(snoozed_until=clock.now + 9 * HOUR_MS))
    clock.forward(hours=1)
    await store.change_by_time(100)
    assert [b.id] == [n.id for n in await listed(store, place="snoozed")]


async def test_snoozed_items_of_a_deleted_digest_come_back_as_they_are(store, clock, draft):
    """They make no second digest."""
    await prefer(store, digest="hourly")
    a, b, _ = [(await store.create_notifications([draft(category="likes", title=t)]))[0] for t in "abc"]
    clock.forward(hours=1)
    await store.change_by_time(100)
    (card,) = await listed(store)
    for one in (a, b):
        await store.change_notification(ALICE, one.id, Change(snoozed_until=clock.now + HOUR_MS))
    await store.delete_notification(ALICE, card.id)
    clock.forward(hours=1)
    await store.change_by_time(100)
    assert {a.id, b.id} == {n.id for n in await listed(store)}, "they became a second digest and the archive has them"


async def test_a_digest_of_a_category_that_was_turned_off_makes_no_noise(opened, clock, draft):
    """It goes to the archive, as all of the category."""
    store = opened.store
    await prefer(store, digest="hourly")
    for t in "abc":
        await store.create_notifications([draft(category="likes", title=t)])
    await prefer(store, inbox=False)
    opened.take()
    clock.forward(hours=1)
    await store.change_by_time(100)
    assert "notification" not in [e.event for e in opened.take()]


async def test_push_after_a_snooze_though_it_was_pushed_before(store, clock, draft):
    """The attempts of the first time are loaded (lease > 0), and Dispatch sends to no target with a 'sent'."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    deliveries = SqlDeliveries(store)
    (one,) = await store.create_notifications([draft()])
    (due,) = await deliveries.claim(10, 1000)
    target = due.targets["fcm"][0].id
    sent = Attempt(notification_id=one.id, user_id=ALICE, channel="fcm", outcome="sent", target=target)
    await deliveries.settle([Settlement(due.delivery, [sent], 1, 0, clock.now + 1000)])
    await store.change_notification(ALICE, one.id, Change(snoozed_until=clock.now + HOUR_MS))
    (due,) = await deliveries.claim(10, 1000)
    back = Attempt(notification_id=one.id, user_id=ALICE, channel="fcm", outcome="retracted", target=target)
    await deliveries.settle([Settlement(due.delivery, [back], 1, 0, None)])
    clock.forward(hours=1)
    await store.change_by_time(10)
    (first_look,) = await deliveries.claim(10, 1000)  # too early: the page may ack
    await deliveries.settle([Settlement(first_look.delivery, [], 0, 0, clock.now + 5000)])
    clock.now += 5000
    (due,) = await deliveries.claim(10, 1000)
    assert [] == [a.outcome for a in due.attempts if a.target == target], "Dispatch._pending sends nothing"


async def test_what_is_read_while_it_waits_for_a_digest_is_not_news(opened, clock, draft):
    """Neither alone nor in the card: it goes to the archive."""
    store = opened.store
    await prefer(store, digest="hourly")
    first, second, third = [(await store.create_notifications([draft(category="likes")]))[0] for _ in range(3)]
    await store.change_notification(ALICE, first.id, Change(read=True))
    await store.change_notification(ALICE, second.id, Change(read=True))
    clock.forward(hours=1)
    await store.change_by_time(100)
    assert [third.id] == [one.id for one in await listed(store)]
    assert {first.id, second.id} == {one.id for one in await listed(store, place="archive")}

    (fourth,) = await store.create_notifications([draft(category="likes")])
    await store.change_notification(ALICE, fourth.id, Change(read=True))
    opened.take()
    clock.forward(hours=1)
    await store.change_by_time(100)
    assert ["notification_updated"] == [event.event for event in opened.take()]
    assert await store.next_change() is None


async def test_what_is_made_urgent_in_quiet_hours_waits_for_their_end_no_more(store, draft, clock):
    """Its ladder is planned anew; by another edit nothing is, and nobody gets what somebody works at."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    await store.create_notifications([draft() for _ in range(3)])
    deliveries = SqlDeliveries(store)
    night = clock.now + 8 * HOUR_MS
    waiting, edited, held = await deliveries.claim(10, 1_000)
    await deliveries.settle([Settlement(one.delivery, [], 1, 0, night) for one in (waiting, edited)])
    clock.now += 1
    await store.edit_notification(edited.delivery.notification_id, {"title": "As it is now"})
    for one in (waiting, held):
        await store.edit_notification(one.delivery.notification_id, {"priority": "urgent"})

    (due,) = await deliveries.claim(10, 1_000)
    assert waiting.delivery.notification_id == due.delivery.notification_id


async def test_an_edited_priority_is_that_of_its_push(store, draft):
    """And its category, for those who are asked by category."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    (one,) = await store.create_notifications([draft(category="news")])
    await store.edit_notification(one.id, {"category": "alerts", "priority": "urgent"})
    (due,) = await SqlDeliveries(store).claim(10, 1000)

    assert ("alerts", "urgent") == (due.delivery.category, due.delivery.priority)


async def test_what_is_made_urgent_while_it_is_held_is_looked_at_again(store, draft, clock):
    """When its holder lets go of it: what was planned, or was over, was so of what it was before. Renewed or not."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    await store.create_notifications([draft() for _ in range(4)])
    deliveries = SqlDeliveries(store)
    night = clock.now + 8 * HOUR_MS
    planned, renewed, over, other = held = await deliveries.claim(10, 1_000)
    for one in (planned, renewed, over):
        await store.edit_notification(one.delivery.notification_id, {"priority": "urgent"})
    await store.edit_notification(other.delivery.notification_id, {"title": "As it is now"})
    await deliveries.renew([renewed.delivery], 1_000)
    assert [] == await deliveries.claim(10, 1_000)
    due_at = [night, night, None, night]
    await deliveries.settle([Settlement(one.delivery, [], 1, 0, at) for one, at in zip(held, due_at, strict=True)])
    again = await deliveries.claim(10, 1_000)

    assert {one.delivery.notification_id for one in (planned, renewed, over)} == {
        due.delivery.notification_id for due in again
    }
    assert {"urgent"} == {due.delivery.priority for due in again}
