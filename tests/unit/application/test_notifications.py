"""The inbox's rules of content, for every caller."""

import pytest

from tocsin.application.notifications import Notifications
from tocsin.domain.errors import Invalid, NotFound, PayloadTooBig
from tocsin.domain.notification import NotificationDraft


@pytest.fixture
def notifications(store, heard):
    return Notifications(store)


def draft(user_id="alice", **fields):
    return NotificationDraft(user_id=user_id, **{"type": "order", "title": "On its way", "message": "Soon.", **fields})


async def test_a_notification_is_delivered_and_listed(notifications, heard):
    """What was created is what the node heard of and what the inbox shows."""
    created = await notifications.create(draft())

    page = await notifications.list("alice")
    assert [created] == page.notifications
    assert [("alice", "notification", created.seq)] == [(one.user_id, one.event, one.seq) for one in heard.events]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": ""},
        {"type": "t" * 65},
        {"title": ""},
        {"title": "t" * 201},
        {"title": "nul\0"},
        {"message": "m" * 4_001},
        {"message": "\ud800"},
        {"category": ""},
        {"category": "c" * 65},
        {"sound": "s" * 129},
        {"data": {"n": 2**64}},
        {"data": {"when": object()}},
        {"data": {1: "number as a key"}},
        {"data": {"half": "\ud800"}},
        {"data": {"n": float("nan")}},
    ],
)
async def test_a_draft_that_breaks_a_rule_is_refused(notifications, heard, fields):
    """Nothing is stored and nobody hears."""
    with pytest.raises(Invalid, match=next(iter(fields))):
        await notifications.create(draft(**fields))
    assert [] == heard.events


async def test_data_has_a_size(notifications):
    """16 KiB encoded fit, one byte more does not."""
    await notifications.create(draft(data={"a": "x" * (16_384 - 8)}))

    with pytest.raises(PayloadTooBig):
        await notifications.create(draft(data={"a": "x" * (16_384 - 7)}))


@pytest.mark.parametrize("count", [0, 1_001])
async def test_one_write_has_one_to_a_thousand_drafts(notifications, count):
    """None and too many are refused."""
    with pytest.raises(Invalid):
        await notifications.create_many([draft()] * count)


async def test_many_are_stored_all_or_none(notifications, heard):
    """One bad draft keeps all out."""
    with pytest.raises(Invalid):
        await notifications.create_many([draft(), draft("bob", title="")])

    assert [] == heard.events
    assert 2 == len(await notifications.create_many([draft(), draft("bob")]))


@pytest.mark.parametrize("limit", [0, 201])
async def test_a_page_has_one_to_two_hundred(notifications, limit):
    """Other limits are refused."""
    with pytest.raises(Invalid):
        await notifications.list("alice", limit=limit)


async def test_too_many_ids_to_see_are_refused(notifications):
    """200 at a time."""
    assert 0 == await notifications.mark_seen("alice", ["x"] * 200)
    with pytest.raises(Invalid):
        await notifications.mark_seen("alice", ["x"] * 201)


async def test_marks_and_deletion_reach_the_inbox(notifications):
    """Each use-case changes what the next answer shows."""
    first, second, third = await notifications.create_many([draft(), draft(category="news"), draft()])

    assert 3 == await notifications.mark_seen("alice")
    assert (await notifications.mark_read("alice", first.id)).read_at is not None
    assert 1 == await notifications.mark_all_read("alice", "news")
    await notifications.delete("alice", third.id)

    stats = await notifications.stats("alice")
    assert (0, 2) == (stats.unread, stats.total)
    assert [second.id, first.id] == [one.id for one in (await notifications.list("alice")).notifications]
    assert first.id == (await notifications.get("alice", first.id)).id
    with pytest.raises(NotFound):
        await notifications.get("alice", third.id)
