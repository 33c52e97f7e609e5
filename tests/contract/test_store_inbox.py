"""What every store guarantees of inboxes."""

import asyncio

import orjson
import pytest

from tocsin.application.once import Once
from tocsin.domain.errors import Invalid, NotFound
from tocsin.domain.notification import InboxFilter
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import iso

EVERYTHING = InboxFilter()


async def listed(store, user_id="alice", wanted=EVERYTHING, before=None, limit=100):
    return await store.list_notifications(user_id, wanted, before=before, limit=limit)


async def test_creation_returns_rows_in_the_order_given(store, draft):
    """Rows come back as their drafts stand, whatever order their counters were taken in."""
    created = await store.create_notifications([draft("carol"), draft("alice"), draft("bob")])

    assert ["carol", "alice", "bob"] == [one.user_id for one in created]


async def test_creation_tells_users_in_ascending_id(opened, draft):
    """Events of one write stand in ascending user id."""
    await opened.store.create_notifications([draft("carol"), draft("alice"), draft("bob")])

    assert ["alice", "bob", "carol"] == [event.user_id for event in opened.take()]


async def test_creation_keeps_the_order_within_a_user(store, draft):
    """Two drafts to one user in one write get their seqs in the order given."""
    created = await store.create_notifications([draft(title="first"), draft("bob"), draft(title="second")])

    assert [("first", 1), ("On its way", 1), ("second", 2)] == [(one.title, one.seq) for one in created]


async def test_the_event_is_the_notification(opened, draft):
    """The ``notification`` event carries the row as REST gives it out, under the row's seq."""
    (created,) = await opened.store.create_notifications([draft(data={"order": "안녕 🎉", "n": [1, 2.5, None]})])

    (event,) = opened.take()
    assert ("notification", created.seq) == (event.event, event.seq)
    assert {**created.json(), "unread_count": 1} == orjson.loads(event.payload)


async def test_what_is_stored_is_what_was_returned(store, draft):
    """Every field survives the database."""
    (created,) = await store.create_notifications(
        [draft(data={"a": {"b": []}}, category="orders", priority="urgent", sound="bell.mp3", expires_at=2**42)]
    )

    assert created == await store.get_notification("alice", created.id)


async def test_readers_hear_before_the_writer_goes_on(opened, draft):
    """``on_commit`` has run when the caller gets its answer."""
    heard = []
    opened.store.on_commit = lambda events: heard.append([event.seq for event in events])

    (created,) = await opened.store.create_notifications([draft()])

    assert [[created.seq]] == heard


async def test_readers_hear_in_commit_order(opened, draft):
    """Events of concurrent writers reach ``on_commit`` with ascending seqs."""
    await asyncio.gather(*[opened.store.create_notifications([draft()]) for _ in range(100)])

    assert list(range(1, 101)) == [event.seq for event in opened.take()]


async def test_what_readers_hear_of_can_be_read(opened, draft):
    """An event that ``on_commit`` carries is in the log already."""
    found = []
    key = StreamKey("alice", "/notifications")
    opened.store.on_commit = lambda events: found.append(asyncio.ensure_future(opened.store.read_stream(key, 0, 10)))

    await opened.store.create_notifications([draft()])

    assert 1 == len((await found[0]).events)


async def test_another_users_notification_does_not_exist(store, draft):
    """A foreign id answers exactly as a missing one."""
    (created,) = await store.create_notifications([draft("bob")])

    with pytest.raises(NotFound) as foreign:
        await store.get_notification("alice", created.id)
    with pytest.raises(NotFound) as missing:
        await store.get_notification("alice", "no such id")
    assert missing.value.problem() == foreign.value.problem()


async def test_pages_show_everything_once(store, draft):
    """Pages of any size, put together, are the inbox from the newest to the oldest."""
    created = await store.create_notifications([draft(title=f"{n}") for n in range(7)])

    for limit in (1, 2, 3, 7, 8):
        shown, before = [], None
        while True:
            page = await listed(store, before=before, limit=limit)
            shown += page.notifications
            if (before := page.next_before) is None:
                break
        assert created[::-1] == shown


async def test_a_page_is_not_shifted_by_what_arrives(store, draft):
    """The next page goes on below the last one though newer ones came in between."""
    await store.create_notifications([draft(title=f"{n}") for n in range(4)])
    first = await listed(store, limit=2)

    await store.create_notifications([draft(title="newer")])
    second = await listed(store, before=first.next_before, limit=2)

    assert ["1", "0"] == [one.title for one in second.notifications]


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        (InboxFilter(), ["c", "b", "a"]),
        (InboxFilter(unread=True), ["c", "b"]),
        (InboxFilter(unread=False), ["a"]),
        (InboxFilter(category="news"), ["b", "a"]),
        (InboxFilter(type="sale"), ["c", "b"]),
        (InboxFilter(unread=True, category="news", type="sale"), ["b"]),
        (InboxFilter(unread=False, category="news", type="sale"), []),
    ],
)
async def test_filters_add_up(store, draft, wanted, titles):
    """A list shows what meets every condition; the badge counts the whole inbox."""
    first, _, _ = await store.create_notifications(
        [
            draft(title="a", category="news"),
            draft(title="b", category="news", type="sale"),
            draft(title="c", type="sale"),
        ]
    )
    await store.mark_notification_read("alice", first.id)

    page = await listed(store, wanted=wanted)

    assert titles == [one.title for one in page.notifications]
    assert (2, 4) == (page.unread_count, page.seq)


async def test_stats_count_the_inbox(store, draft):
    """Read is seen; ``""`` stands for no category."""
    created = await store.create_notifications(
        [draft(category="news"), draft(category="news"), draft(), draft(), draft("bob")]
    )
    await store.mark_notification_read("alice", created[0].id)
    await store.mark_notifications_seen("alice", [created[1].id])

    stats = await store.notification_stats("alice")

    assert (3, 2, 4, {"news": 1, "": 2}) == (stats.unread, stats.unseen, stats.total, stats.by_category)


async def test_what_has_expired_already_is_refused_and_a_repeat_is_not(opened, draft, clock):
    """Nobody would see it; the answer to what was accepted in time may have been lost on its way."""
    store, once = opened.store, Once("shop publish", "key-1", b"fingerprint")
    lives = draft(expires_at=clock.now + 1)
    first = await store.create_notifications([lives], once)
    opened.take()
    clock.now += 1

    assert first == await store.create_notifications([lives], once)
    for refused in (
        store.create_notifications([draft(), lives]),
        store.schedule_notifications([lives], clock.now - 1),
    ):
        with pytest.raises(Invalid, match="expires_at is over"):
            await refused
    assert [] == opened.take()


async def test_an_expired_notification_is_in_no_answer(store, draft, clock):
    """From its instant on it is in no list, no count and under no id."""
    (created,) = await store.create_notifications([draft(expires_at=clock.now + 1)])
    assert 1 == (await listed(store)).unread_count

    clock.now += 1

    page = await listed(store)
    stats = await store.notification_stats("alice")
    assert ([], 0, 0, 0) == (page.notifications, page.unread_count, stats.unread, stats.total)
    for attempt in (
        store.get_notification("alice", created.id),
        store.mark_notification_read("alice", created.id),
        store.delete_notification("alice", created.id),
        store.delete_notification(None, created.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert 0 == await store.mark_all_notifications_read("alice")
    assert 0 == await store.mark_notifications_seen("alice", None)


async def test_reading_is_seeing(opened, draft, clock):
    """Marking as read sets both instants and tells of it."""
    (created,) = await opened.store.create_notifications([draft()])
    opened.take()
    clock.forward(hours=1)

    read = await opened.store.mark_notification_read("alice", created.id)

    assert (clock.now, clock.now) == (read.read_at, read.seen_at)
    assert read == await opened.store.get_notification("alice", created.id)
    (event,) = opened.take()
    assert "notification_read" == event.event
    assert {"id": created.id, "read_at": iso(clock.now), "unread_count": 0} == orjson.loads(event.payload)


async def test_reading_keeps_when_it_was_seen(store, draft, clock):
    """An earlier ``seen_at`` stays."""
    (created,) = await store.create_notifications([draft()])
    await store.mark_notifications_seen("alice", None)
    seen_at = clock.now
    clock.forward(hours=1)

    assert seen_at == (await store.mark_notification_read("alice", created.id)).seen_at


async def test_reading_twice_changes_nothing(opened, draft, clock):
    """The second time returns the first instant and tells nobody."""
    (created,) = await opened.store.create_notifications([draft()])
    first = await opened.store.mark_notification_read("alice", created.id)
    opened.take()
    clock.forward(hours=1)

    assert first == await opened.store.mark_notification_read("alice", created.id)
    assert [] == opened.take()


async def test_nobody_changes_what_is_anothers(opened, draft):
    """Reading, seeing and deleting a foreign id is refused or counts nothing, and tells nobody."""
    (created,) = await opened.store.create_notifications([draft("bob")])
    opened.take()

    with pytest.raises(NotFound):
        await opened.store.mark_notification_read("alice", created.id)
    with pytest.raises(NotFound):
        await opened.store.delete_notification("alice", created.id)
    assert 0 == await opened.store.mark_notifications_seen("alice", [created.id])
    assert 0 == await opened.store.mark_all_notifications_read("alice")
    assert created == await opened.store.get_notification("bob", created.id)
    assert [] == opened.take()


async def test_read_all_is_one_event(opened, draft, clock):
    """All unread ones are marked, and one event says so."""
    await opened.store.create_notifications([draft(), draft(), draft("bob")])
    opened.take()

    assert 2 == await opened.store.mark_all_notifications_read("alice")

    (event,) = opened.take()
    assert ("notification_read", 3) == (event.event, event.seq)
    assert {"all": True, "category": None, "read_at": iso(clock.now), "unread_count": 0} == orjson.loads(event.payload)
    assert 0 == (await listed(opened.store)).unread_count
    assert 1 == (await listed(opened.store, "bob")).unread_count


async def test_read_all_of_a_category_leaves_the_others(opened, draft):
    """Only the category is marked, and the event names it."""
    await opened.store.create_notifications([draft(category="news"), draft(category="sale"), draft()])
    opened.take()

    assert 1 == await opened.store.mark_all_notifications_read("alice", "news")

    assert "news" == orjson.loads(opened.take()[0].payload)["category"]
    assert 2 == (await listed(opened.store)).unread_count


async def test_read_all_of_nothing_tells_nobody(opened, draft):
    """With nothing unread there is no event."""
    (created,) = await opened.store.create_notifications([draft()])
    await opened.store.mark_notification_read("alice", created.id)
    opened.take()

    assert 0 == await opened.store.mark_all_notifications_read("alice")
    assert [] == opened.take()


async def test_seeing_some_names_them(opened, draft, clock):
    """The event holds the ids that were unseen; unknown and seen ones count for nothing."""
    first, second, _ = await opened.store.create_notifications([draft(), draft(), draft()])
    await opened.store.mark_notifications_seen("alice", [first.id])
    opened.take()

    assert 1 == await opened.store.mark_notifications_seen("alice", [first.id, second.id, "no such id"])

    (event,) = opened.take()
    assert "notification_updated" == event.event
    assert {"ids": [second.id], "seen_at": iso(clock.now), "unread_count": 3} == orjson.loads(event.payload)


async def test_seeing_all_is_one_event(opened, draft, clock):
    """All unseen ones are marked, once."""
    await opened.store.create_notifications([draft(), draft()])
    opened.take()

    assert 2 == await opened.store.mark_notifications_seen("alice", None)
    assert 0 == await opened.store.mark_notifications_seen("alice", None)

    (event,) = opened.take()
    assert {"all": True, "seen_at": iso(clock.now), "unread_count": 2} == orjson.loads(event.payload)


@pytest.mark.parametrize("by", ["alice", None])
async def test_deleting_takes_it_away_and_tells_its_user(opened, draft, by):
    """The user's deletion and the publisher's retraction look the same to the user's devices."""
    (created,) = await opened.store.create_notifications([draft()])
    opened.take()

    await opened.store.delete_notification(by, created.id)

    with pytest.raises(NotFound):
        await opened.store.get_notification("alice", created.id)
    (event,) = opened.take()
    assert ("alice", "notification_deleted") == (event.user_id, event.event)
    assert {"id": created.id, "unread_count": 0} == orjson.loads(event.payload)
