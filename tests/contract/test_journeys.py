"""What the trace reads: one notification whatever became of it, and a search among all of a user's."""

import pytest

from tocsin.adapters.sql.journeys import SqlJourneys
from tocsin.application.notifications import EVERYTHING
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import NotFound
from tocsin.domain.notification import Change
from tocsin.domain.user_id import UserId

ALICE = UserId("alice")


@pytest.fixture
def journeys(store):
    return SqlJourneys(store)


async def test_everything_that_is_kept(journeys, store, draft):
    """The row, its events, its stream, and where it could be pushed; of others nothing."""
    device = await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    other, made = await store.create_notifications([draft(), draft()])
    await store.create_notifications([draft("bob")])
    await store.mark_notification_read(ALICE, made.id)
    record = await journeys.record(made.id)

    assert record.notification is not None
    assert [("notification", 2), ("notification_read", 3)] == [(told.event, told.seq) for told in record.log]
    assert (record.seq, record.head.seq, record.user_id) == (2, 3, ALICE)
    assert [("fcm", device.id, "android")] == [(one.channel, one.id, one.label) for one in record.targets]
    assert record.delivery is not None
    assert [1] == [told.seq for told in (await journeys.record(other.id)).log]


async def test_what_was_done_to_several(journeys, store, draft):
    """It stands in the way of each of them."""
    first, second = await store.create_notifications([draft(), draft()])
    await store.mark_notifications_seen(ALICE, [first.id])
    await store.archive_all_notifications(ALICE, None, read_only=False)

    assert ["seen_at", "archived_at"] == [
        next(name for name in ("seen_at", "archived_at") if name in told.payload)
        for told in (await journeys.record(first.id)).log[1:]
    ]
    assert 2 == len((await journeys.record(second.id)).log)


async def test_one_that_is_gone_is_known_by_its_user(journeys, store, draft):
    """The clock of this test is not that of the ids: only the user's log has it."""
    (made,) = await store.create_notifications([draft(category="order")])
    await store.delete_notification(None, made.id)
    with pytest.raises(NotFound):
        await journeys.record(made.id)
    record = await journeys.record(made.id, ALICE)

    assert record.notification is None
    assert ("order", made.seq, made.created_at) == (record.said("category"), record.seq, record.created_at)
    with pytest.raises(NotFound):
        await journeys.record(made.id, UserId("bob"))


async def test_a_search(journeys, store, draft, clock):
    """By time and by words, the newest first, with what is gone."""

    async def search(**wanted):
        found = await journeys.search(ALICE, **{"since": None, "until": None, "text": "", "limit": 20} | wanted)
        return [(one.title, one.state) for one in found]

    for title in ("Parcel at the door", "소포 도착", "Invoice", "Old news"):
        await store.create_notifications([draft(title=title)])
        clock.forward(hours=1)
    page = await store.list_notifications(ALICE, EVERYTHING, before=None, limit=10)
    ids = {one.title: one.id for one in page.notifications}
    await store.delete_notification(ALICE, ids["Old news"])
    await store.change_notification(ALICE, ids["Invoice"], Change(archived=True))
    await store.create_notifications([draft("bob", title="Parcel of Bob")])

    everything = [
        ("Old news", "gone"),
        ("Invoice", "archived"),
        ("소포 도착", "listed"),
        ("Parcel at the door", "listed"),
    ]
    assert everything == await search()
    assert everything[:2] == await search(limit=2)
    assert everything[-1:] == await search(text="PARCEL")
    assert everything[2:3] == await search(text="소포")
    noon = clock.now - 4 * 3_600_000
    assert everything[1:3] == await search(since=noon + 3_600_000, until=noon + 3 * 3_600_000)
