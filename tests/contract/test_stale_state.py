"""
Stale state + events == fresh state (delivery contract, 15).

The reducer here is what every client does with the events of the
``/notifications`` stream; the badge is computed from its result.
"""

import itertools
from dataclasses import dataclass

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.domain.notification import InboxFilter
from tocsin.domain.stream import StreamKey

users = (f"user{n}" for n in itertools.count())


@dataclass
class Inbox:
    """What a client shows: notifications as REST gives them out, newest first, as of ``seq``."""

    notifications: list[dict]
    seq: int

    @property
    def unread_count(self) -> int:
        return sum(not one["read"] for one in self.notifications)

    def apply(self, event) -> None:
        assert event.seq == self.seq + 1
        self.seq = event.seq
        REDUCERS[event.event](self, orjson.loads(event.payload))

    def created(self, payload) -> None:
        self.notifications.insert(0, payload)

    def read(self, payload) -> None:
        for one in self.notifications:
            is_meant = (
                payload.get("category") in (None, one["category"]) if "all" in payload else one["id"] == payload["id"]
            )
            if is_meant and not one["read"]:
                one.update(read=True, read_at=payload["read_at"], seen_at=one["seen_at"] or payload["read_at"])

    def updated(self, payload) -> None:
        for one in self.notifications:
            if ("all" in payload or one["id"] in payload["ids"]) and not one["seen_at"]:
                one["seen_at"] = payload["seen_at"]

    def deleted(self, payload) -> None:
        self.notifications = [one for one in self.notifications if one["id"] != payload["id"]]


REDUCERS = {
    "notification": Inbox.created,
    "notification_read": Inbox.read,
    "notification_updated": Inbox.updated,
    "notification_deleted": Inbox.deleted,
}

categories = st.sampled_from([None, "news", "orders"])
which = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("create"), categories),
    st.tuples(st.just("create"), categories),
    st.tuples(st.just("read"), which),
    st.tuples(st.just("read all"), categories),
    st.tuples(st.just("see"), st.lists(which, max_size=3)),
    st.tuples(st.just("see all"), st.none()),
    st.tuples(st.just("delete"), which),
)


async def fetch(store, user_id):
    page = await store.list_notifications(user_id, InboxFilter(), before=None, limit=200)
    inbox = Inbox([one.json() for one in page.notifications], page.seq)
    assert page.unread_count == inbox.unread_count
    return inbox


async def perform(store, draft, user_id, step, detail):
    page = await store.list_notifications(user_id, InboxFilter(), before=None, limit=200)
    ids = [one.id for one in page.notifications]
    if step == "create":
        await store.create_notifications([draft(user_id, category=detail)])
    elif step == "read all":
        await store.mark_all_notifications_read(user_id, detail)
    elif step == "see all":
        await store.mark_notifications_seen(user_id, None)
    elif step == "see":
        await store.mark_notifications_seen(user_id, [ids[n % len(ids)] for n in detail] if ids else [])
    elif ids and step == "read":
        await store.mark_notification_read(user_id, ids[detail % len(ids)])
    elif ids and step == "delete":
        await store.delete_notification(user_id, ids[detail % len(ids)])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=st.lists(steps, max_size=12), after=st.lists(steps, max_size=12))
async def test_stale_state_and_events_are_the_fresh_state(store, clock, draft, before, after):
    """Whatever happened before and after a fetch, the log since then leads to what a new fetch shows."""
    user_id = next(users)
    for step, detail in before:
        clock.now += 1_000
        await perform(store, draft, user_id, step, detail)
    inbox = await fetch(store, user_id)
    for step, detail in after:
        clock.now += 1_000
        await perform(store, draft, user_id, step, detail)

    for event in (await store.read_stream(StreamKey(user_id, "/notifications"), inbox.seq, 1_000)).events:
        inbox.apply(event)

    assert await fetch(store, user_id) == inbox
