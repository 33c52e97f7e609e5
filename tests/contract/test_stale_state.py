"""
Stale state + events == fresh state (delivery contract, 15).

The reducer here is what every client does with the events of the ``/notifications``
stream; the badge is what the newest of them says.
"""

import itertools
from dataclasses import dataclass

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.adapters.sql.preferences import SqlPreferences
from tocsin.domain.notification import Change, InboxFilter, Place
from tocsin.domain.preference import Preferences
from tocsin.domain.stream import StreamKey

PLACES: tuple[Place, ...] = ("inbox", "archive", "snoozed")
MARKS = ("seen_at", "archived_at", "snoozed_until")
HOUR_MS = 3_600_000
# What an event says beside the notification.
BESIDE = ("unread_count", "toast", "silent")
users = (f"user{n}" for n in itertools.count())


@dataclass
class Inbox:
    """What a client keeps: notifications as REST gives them out, in all places, and the badge, as of ``seq``."""

    notifications: dict[str, dict]
    unread_count: int
    seq: int

    def apply(self, event) -> None:
        assert event.seq == self.seq + 1
        self.seq = event.seq
        payload = orjson.loads(event.payload)
        self.unread_count = payload["unread_count"]
        told = {name: value for name, value in payload.items() if name not in BESIDE}
        REDUCERS[event.event](self, told)

    def created(self, told) -> None:
        # The event has the sound as it is to be heard, REST as it was given.
        self.notifications[told["id"]] = told | {"sound": None}

    def read(self, told) -> None:
        for one in self.notifications.values():
            is_meant = (
                is_listed(one) and told["category"] in (None, one["category"])
                if "all" in told
                else one["id"] == told["id"]
            )
            if is_meant and not one["read"]:
                one.update(read=True, read_at=told["read_at"], seen_at=one["seen_at"] or told["read_at"])

    def updated(self, told) -> None:
        if "id" in told and told["id"] not in self.notifications:
            self.created(told)
        elif "id" in told:
            one = self.notifications[told["id"]]
            one.update(told)
            one["read"] = one["read_at"] is not None
            if one.get("digest", ...) is None:  # it has left its digest
                del one["digest"]
        for one in self.notifications.values():
            if concerns(told, one):
                one.update({name: told[name] for name in MARKS if name in told})

    def deleted(self, told) -> None:
        self.notifications.pop(told["id"])


def concerns(told, one) -> bool:
    """Return whether an event about many means this one."""
    if "read_only" in told:
        return is_listed(one) and told["category"] in (None, one["category"]) and (one["read"] or not told["read_only"])
    if "all" in told or "ids" in told:
        is_meant = is_listed(one) and not one["read"] if "all" in told else one["id"] in told["ids"]
        return is_meant and not one["seen_at"]
    return "id" not in told and one.get("digest", {}).get("id") == told["digest"]["id"]


def is_listed(one) -> bool:
    return one["archived_at"] is None and one["snoozed_until"] is None


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
    st.tuples(st.just("collapse"), st.sampled_from(["build", "deploy"])),
    st.tuples(st.just("group"), st.tuples(st.sampled_from(["likes", "views"]), which)),
    st.tuples(st.just("claimable"), st.none()),
    st.tuples(st.just("claim"), which),
    st.tuples(st.just("short_lived"), st.integers(1, 3)),
    st.tuples(st.just("read"), which),
    st.tuples(st.just("unread"), which),
    st.tuples(st.just("archive"), which),
    st.tuples(st.just("restore"), which),
    st.tuples(st.just("snooze"), which),
    st.tuples(st.just("edit"), which),
    st.tuples(st.just("archive_all"), st.tuples(categories, st.booleans())),
    st.tuples(st.just("read_all"), categories),
    st.tuples(st.just("see"), st.lists(which, max_size=3)),
    st.tuples(st.just("see_all"), st.none()),
    st.tuples(st.just("delete"), which),
    st.tuples(st.just("hours_pass"), st.integers(1, 2)),
    st.tuples(st.just("prefer"), st.sampled_from([{}, {"digest": "hourly"}, {"inbox": False}, {"sound": False}])),
)


async def everything(store, user_id):
    """Return all notifications, in whatever place, with the badge and the position of one instant."""
    found = {}
    for place in PLACES:
        page = await store.list_notifications(user_id, InboxFilter(place=place), before=None, limit=200)
        found |= {one.id: one.json() for one in page.notifications}
    return found, page


async def fetch(store, user_id):
    found, page = await everything(store, user_id)
    assert page.unread_count == sum(is_listed(one) and not one["read"] for one in found.values())
    return Inbox(found, page.unread_count, page.seq)


class Acts:
    """What is done to one inbox; which notification is meant is told by a number."""

    def __init__(self, store, clock, draft, user_id):
        self.store, self.clock, self.draft, self.user_id = store, clock, draft, user_id
        self.found = {}

    def pick(self, number):
        ids = sorted(self.found)
        return ids[number % len(ids)]

    async def perform(self, step, detail):
        self.found, _ = await everything(self.store, self.user_id)
        act = getattr(self, step, None)
        if act is not None:
            await act(detail)
        elif self.found:
            await getattr(self, f"one_{step}")(self.pick(detail), detail)

    async def make(self, **fields):
        await self.store.create_notifications([self.draft(self.user_id, **fields)])

    async def create(self, category):
        await self.make(category=category)

    async def collapse(self, key):
        await self.make(collapse_key=key)

    async def group(self, key_and_actor):
        key, actor = key_and_actor
        await self.make(group_key=key, actor_id=f"actor{actor}", actor_name="Mina")

    async def claimable(self, _):
        await self.make(claim_id=f"{self.user_id}-{self.clock.now}")

    async def short_lived(self, hours):
        await self.make(expires_at=self.clock.now + hours * HOUR_MS)

    async def archive_all(self, scope):
        await self.store.archive_all_notifications(self.user_id, scope[0], read_only=scope[1])

    async def read_all(self, category):
        await self.store.mark_all_notifications_read(self.user_id, category)

    async def see_all(self, _):
        await self.store.mark_notifications_seen(self.user_id, None)

    async def see(self, numbers):
        await self.store.mark_notifications_seen(self.user_id, [self.pick(n) for n in numbers] if self.found else [])

    async def hours_pass(self, hours):
        self.clock.now += hours * HOUR_MS

    async def prefer(self, rule):
        await SqlPreferences(self.store).save(self.user_id, Preferences.read({"categories": {"news": rule}}))

    async def one_read(self, notification_id, _):
        await self.store.mark_notification_read(self.user_id, notification_id)

    async def one_edit(self, notification_id, _):
        await self.store.edit_notification(notification_id, {"title": f"As of {self.clock.now}"})

    async def one_claim(self, notification_id, _):
        if "claim" in self.found[notification_id]:
            await self.store.claim_notification(self.user_id, notification_id)

    async def one_delete(self, notification_id, _):
        await self.store.delete_notification(self.user_id, notification_id)

    async def one_snooze(self, notification_id, number):
        until = self.clock.now + (1 + number % 3) * HOUR_MS
        await self.change(notification_id, Change(snoozed_until=until))

    async def one_unread(self, notification_id, _):
        await self.change(notification_id, Change(read=False))

    async def one_archive(self, notification_id, _):
        await self.change(notification_id, Change(archived=True))

    async def one_restore(self, notification_id, _):
        await self.change(notification_id, Change(archived=False, snoozed_until=0))

    async def change(self, notification_id, change):
        await self.store.change_notification(self.user_id, notification_id, change)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=st.lists(steps, max_size=15), after=st.lists(steps, max_size=25))
async def test_stale_state_and_events_are_the_fresh_state(store, clock, draft, before, after):
    """Whatever happened before and after a fetch, the log since then leads to what a new fetch shows, badge and all."""
    user_id = next(users)
    acts = Acts(store, clock, draft, user_id)

    async def live(step, detail):
        clock.now += 1_000
        await acts.perform(step, detail)
        while await store.change_by_time(5):
            pass

    for step, detail in before:
        await live(step, detail)
    inbox = await fetch(store, user_id)
    for step, detail in after:
        await live(step, detail)

    for event in (await store.read_stream(StreamKey(user_id, "/notifications"), inbox.seq, 1_000)).events:
        inbox.apply(event)

    assert await fetch(store, user_id) == inbox
