"""What time alone changes in inboxes, with a clock that stands until it is set."""

import asyncio

import orjson
import pytest
from sqlalchemy import null, update

from tocsin.adapters.sql import schema
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.preferences import SqlPreferences
from tocsin.domain.notification import Change, InboxFilter
from tocsin.domain.preference import Preferences
from tocsin.domain.user_id import UserId

ALICE = UserId("alice")
HOUR_MS = 3_600_000
SECOND_MS = 1_000


async def listed(store, wanted=InboxFilter()):  # noqa: B008 immutable
    return (await store.list_notifications(ALICE, wanted, before=None, limit=100)).notifications


async def prefer(store, **rule):
    said = {"categories": {"likes": rule}, "time_zone": "Europe/Berlin", "digest_hour": 9}
    await SqlPreferences(store).save(ALICE, Preferences.read(said))


async def test_two_processes_wake_what_is_due_once(open_store, clock, draft):
    """Both look at the same instant."""
    first, second = await open_store(), await open_store()
    created = await first.store.create_notifications([draft(title=str(number)) for number in range(30)])
    for one in created:
        await first.store.change_notification(ALICE, one.id, Change(snoozed_until=clock.now + HOUR_MS))
    first.take()
    clock.forward(hours=1)
    await asyncio.gather(*[opened.store.change_by_time(4) for opened in (first, second) for _ in range(8)])

    events = first.take() + second.take()
    assert sorted(str(number) for number in range(30)) == sorted(orjson.loads(e.payload)["title"] for e in events)
    assert len(events) == len({event.seq for event in events})


async def test_a_snooze_survives_a_restart(open_store, clock, draft):
    """What came due while nothing ran comes back when something does."""
    opened = await open_store()
    (created,) = await opened.store.create_notifications([draft()])
    await opened.store.change_notification(ALICE, created.id, Change(snoozed_until=clock.now + HOUR_MS))
    await opened.store.stop()
    clock.forward(days=3)
    again = await open_store()

    assert clock.now - 3 * 24 * HOUR_MS + HOUR_MS == await again.store.next_change()
    assert 1 == await again.store.change_by_time(10)
    assert [created.id] == [one.id for one in await listed(again.store)]
    assert await again.store.next_change() is None


@pytest.mark.parametrize("months", [1, 7, 60])
async def test_what_is_scheduled_is_kept_for_months(open_store, clock, draft, months):
    """Over restarts and rounds of retention; delivered once, with the id that was given."""
    opened = await open_store()
    (kept,) = await opened.store.schedule_notifications([draft()], clock.now + months * 30 * 24 * HOUR_MS)
    await opened.store.stop()
    clock.forward(days=months * 30 - 1)
    again = await open_store()
    await again.store.prune(clock.now)
    assert 0 == await again.store.change_by_time(10)
    clock.forward(days=1)

    assert [1, 0] == [await again.store.change_by_time(10) for _ in range(2)]
    assert [kept.id] == [one.id for one in await listed(again.store)]


async def test_a_digest_is_one_card_that_stands_for_many(opened, clock, draft):
    """At nine in Berlin; what it stands for is in the archive, and listed by its id."""
    store = opened.store
    await prefer(store, digest="daily")
    held = []
    for number in range(7):
        held += await store.create_notifications([draft(category="likes", title=f"Like {number}")])
        clock.forward(hours=1)
    assert ([], 7) == (await listed(store), len(await listed(store, InboxFilter(place="snoozed"))))
    assert {"notification_updated"} == {event.event for event in opened.take()}
    (digest_id,) = {one.digest_id for one in held}
    clock.now = await store.next_change()
    await store.change_by_time(100)

    (card,) = await listed(store)
    assert (digest_id, 7, "7 notifications in likes") == (card.id, card.digest_count, card.title)
    assert ["Like 6", "Like 5", "Like 4", "Like 3", "Like 2"] == [one["title"] for one in card.data["items"]]
    items = await listed(store, InboxFilter(digest_id=digest_id))
    assert sorted(one.id for one in held) == sorted(one.id for one in items)
    assert all(one.archived_at for one in items)
    *_, gone, came = opened.take()
    assert ("notification_updated", "notification") == (gone.event, came.event)
    assert 1 == orjson.loads(came.payload)["unread_count"]
    assert [] == list(await listed(store, InboxFilter(place="snoozed")))


async def test_a_single_one_comes_as_itself(opened, clock, draft):
    """It is no digest of one."""
    await prefer(opened.store, digest="hourly")
    (held,) = await opened.store.create_notifications([draft(category="likes")])
    clock.forward(hours=1)
    await opened.store.change_by_time(100)

    (card,) = await listed(opened.store)
    assert (held.id, None, None) == (card.id, card.digest_id, card.digest_count)


async def test_what_a_slow_clock_adds_to_a_digest_that_has_come_is_not_lost(opened, clock, draft):
    """It comes as itself."""
    await prefer(opened.store, digest="hourly")
    await opened.store.create_notifications([draft(category="likes") for _ in range(2)])
    before = clock.now
    clock.forward(hours=1)
    await opened.store.change_by_time(100)
    clock.now = before + SECOND_MS
    (late,) = await opened.store.create_notifications([draft(category="likes", title="late")])
    clock.forward(hours=1)
    await opened.store.change_by_time(100)

    assert [late.id] == [one.id for one in await listed(opened.store) if one.title == "late"]


async def test_what_is_urgent_waits_for_no_digest(opened, draft):
    """Nor does another category."""
    await prefer(opened.store, digest="daily")
    await opened.store.create_notifications([draft(category="likes", priority="urgent"), draft(category="news")])

    assert 2 == len(await listed(opened.store))


async def test_an_update_replaces_what_waits(opened, draft):
    """The digest will stand for the last one."""
    await prefer(opened.store, digest="daily")
    for title in ("first", "second"):
        await opened.store.create_notifications([draft(category="likes", title=title, collapse_key="k")])

    assert ["second"] == [one.title for one in await listed(opened.store, InboxFilter(place="snoozed"))]


async def test_what_has_expired_while_it_waited_does_not_come(opened, clock, draft):
    """Neither from a snooze nor from the schedule."""
    store = opened.store
    (one,) = await store.create_notifications([draft(expires_at=clock.now + HOUR_MS)])
    await store.change_notification(ALICE, one.id, Change(snoozed_until=clock.now + 2 * HOUR_MS))
    await store.schedule_notifications([draft(expires_at=clock.now + 2 * HOUR_MS)], clock.now + HOUR_MS)
    clock.forward(hours=5)
    while await store.change_by_time(10):
        pass

    assert [] == await listed(store)
    assert "notification" not in [event.event for event in opened.take()[1:]]


async def test_members_of_groups_go_with_their_card(opened, clock, draft):
    """Retention drops who was counted in a card that is no more."""
    store = opened.store
    (card,) = await store.create_notifications([draft(group_key="likes", actor_id="bob")])
    assert 0 == (await store.prune(clock.now))["group_member"]
    await store.delete_notification(ALICE, card.id)

    assert 1 == (await store.prune(clock.now))["group_member"]


async def test_an_inbox_of_a_host_is_counted_at_the_start(open_store, draft):
    """A host's migration adds the column empty."""
    opened = await open_store()
    await opened.store.create_notifications([draft(), draft()])
    uncounted = compiled(update(schema.stream).values(unread=null()))
    await opened.store.write(lambda transaction: transaction.execute(uncounted, {}).rowcount)
    opened.take()
    await opened.store.create_notifications([draft()])
    assert "unread_count" not in orjson.loads(opened.take()[0].payload)
    page = await opened.store.list_notifications(ALICE, InboxFilter(), before=None, limit=1)
    assert 3 == page.unread_count
    await opened.store.stop()
    again = await open_store()
    await again.store.create_notifications([draft()])

    assert 4 == orjson.loads(again.take()[0].payload)["unread_count"]
