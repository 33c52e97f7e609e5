"""The verdict of the trace: what is proven is said, and nothing else; over a real log, and the memory of nodes."""

import pytest

from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.journeys import SqlJourneys
from tocsin.adapters.sql.preferences import SqlPreferences
from tocsin.application.deliveries import Settlement
from tocsin.application.journey_sessions import Witnessed
from tocsin.application.journeys import Journeys
from tocsin.application.witness import Witness
from tocsin.domain.delivery import Attempt
from tocsin.domain.device import DeviceDraft
from tocsin.domain.ladder import Ladders
from tocsin.domain.notification import Change
from tocsin.domain.preference import Preferences
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

ALICE = UserId("alice")
STREAM = StreamKey(ALICE, "/notifications")
HOUR_MS = 3_600_000


class Nodes:
    """One node and what it has seen; others may be silent."""

    def __init__(self, clock):
        self.witness = Witness(clock)
        self.silent = []
        self.head = 0

    def come(self, session_id, cursor, after, head):
        self.witness.came(session_id, ALICE, cursor)
        self.witness.caught_up(session_id, after, head)

    async def ask(self, notification_id, user_id, seq):
        return Witnessed({"a": self.witness.tell(notification_id, user_id, seq, self.head)}, self.silent)


@pytest.fixture
def nodes(clock):
    return Nodes(clock)


@pytest.fixture
def trace(store, nodes, clock):
    async def trace(notification_id, *, asks=True):
        nodes.head = (await store.heads([STREAM]))[0].seq
        ask = nodes.ask if asks else None
        return await Journeys(SqlJourneys(store), Ladders("normal: push 1h"), ask, clock).trace(notification_id, ALICE)

    return trace


@pytest.fixture
def create(store, draft):
    async def create(**fields):
        (made,) = await store.create_notifications([draft(**fields)])
        return made

    return create


async def prefer(store, **rule):
    await SqlPreferences(store).save(ALICE, Preferences.read({"categories": {"likes": rule}}))


def kinds(journey, channel="socket"):
    return [step.kind for step in journey.timeline if step.channel == channel]


async def test_an_ack_of_a_session_that_was_sent_it(nodes, trace, create, store):
    """Proves it, and tells by when."""
    nodes.come("s", None, 0, 0)
    made = await create()
    nodes.witness.acked("s", made.seq)

    assert (await trace(made.id)).verdict.startswith("Yes: a device had shown it by 2026-")
    assert (await trace(made.id)).acked


async def test_the_ack_of_a_session_that_came_later(nodes, trace, create, store, clock):
    """Covers what it was never sent, and proves nothing; not by its cursor either, when it comes back."""
    made = await create()
    clock.forward(hours=1)
    nodes.come("s", None, made.seq, made.seq)
    nodes.witness.acked("s", made.seq)
    await store.save_acks({STREAM: made.seq})
    fresh = await trace(made.id)
    nodes.witness.left("s", made.seq, "transport close")
    nodes.come("t", made.seq, made.seq, made.seq)
    nodes.witness.acked("t", made.seq)
    again = await trace(made.id)

    for told in (fresh, again):
        assert told.verdict.startswith("Perhaps: a device has acknowledged everything up to it, but none that is known")
        assert "acked" not in kinds(told)
    assert ["offline", "before"] == kinds(fresh)


async def test_an_ack_that_is_stored_without_its_session(trace, create, store):
    """As a command line finds it: likely, and no proof."""
    made = await create()
    await store.save_acks({STREAM: made.seq})

    assert (await trace(made.id, asks=False)).verdict.startswith("Probably: a device has acknowledged everything")


async def test_what_goes_to_the_archive_is_not_shown(nodes, trace, create, store):
    """Sessions are told of it as of a change, and acknowledge the change."""
    await prefer(store, inbox=False)
    nodes.come("s", None, 0, 0)
    made = await create(category="likes")
    nodes.witness.acked("s", made.seq)
    await store.save_acks({STREAM: made.seq})
    told = await trace(made.id)

    assert told.verdict.startswith("No: the user wants likes out of the inbox")
    assert (["live"], False) == (kinds(told), told.acked)


async def test_what_is_held_and_comes_in_a_digest(nodes, trace, create, store, clock):
    """Not yet, whoever acknowledged its event; then it is the digest that is shown, and has a trace of its own."""
    await prefer(store, digest="hourly")
    nodes.come("s", None, 0, 0)
    held, _ = [await create(category="likes") for _ in range(2)]
    nodes.witness.acked("s", held.seq)
    await store.save_acks({STREAM: held.seq})
    before = await trace(held.id)
    clock.forward(hours=1)
    await store.change_by_time(100)
    after = await trace(held.id)

    assert before.verdict == "Not yet: the user wants likes in a digest, which comes at 2026-11-22T13:00:00.000Z."
    assert after.verdict.startswith(f"Not by itself: it came in the digest {held.digest_id} at 2026-11-22T13:00:00")
    assert ["stored", "held", "archived", "digest"] == kinds(after, "inbox")


async def test_a_digest_that_does_not_come(trace, create, store, clock):
    """Its user wants none of the category meanwhile."""
    await prefer(store, digest="hourly")
    held, _ = [await create(category="likes") for _ in range(2)]
    await prefer(store, inbox=False)
    clock.forward(hours=1)
    await store.change_by_time(100)

    assert (await trace(held.id)).verdict.startswith("No: it waited for a digest of likes, and went to the archive")


async def test_one_that_comes_back_from_being_held(nodes, trace, create, store, clock):
    """Counts from then on: an ack of the time when it was held proves nothing, one of after it does."""
    await prefer(store, digest="hourly")
    nodes.come("s", None, 0, 0)
    held = await create(category="likes")
    nodes.witness.acked("s", held.seq)
    clock.forward(hours=1)
    await store.change_by_time(100)
    back = await trace(held.id)
    nodes.witness.acked("s", back.record.seq)

    assert back.verdict.startswith("Perhaps: it was sent to a session, none of which has acknowledged it")
    assert (await trace(held.id)).verdict.startswith("Yes: a device had shown it by 2026-11-22T13:")


async def test_nobody_was_there(trace, create):
    """That is said where it is known."""
    told = await trace((await create()).id)

    assert told.verdict.startswith("No: no session is known to have been sent it; ")
    assert ["offline"] == kinds(told)


async def test_a_node_that_does_not_answer(nodes, trace, create):
    """Makes it unknown whether anybody was there; by name."""
    nodes.silent = ["web-2:17"]
    told = await trace((await create()).id)

    assert told.verdict.startswith("Not known: no answer came from web-2:17, and no session of another node had it; ")
    assert [] == kinds(told)
    assert "No answer came from web-2:17: what was seen there is not known." in told.unknown


async def test_a_node_that_began_later(nodes, trace, create, clock):
    """Has not seen that nobody was there."""
    made = await create()
    clock.forward(hours=1)
    nodes.witness = Witness(clock)
    told = await trace(made.id)

    assert told.verdict.startswith("Not that anybody knows: no device has acknowledged it; ")
    assert [] == kinds(told)
    assert any("Who was connected then is not known" in sentence for sentence in told.unknown)


async def test_a_session_that_says_it_has_it(nodes, trace, create):
    """May have it."""
    made = await create()
    nodes.come("s", made.seq, made.seq, made.seq)

    assert (await trace(made.id)).verdict.startswith("Perhaps: a session came back and said that it has it; ")


async def test_what_its_user_did_stays_done(trace, create, store):
    """It was read, whatever became of it; it was seen, though it is gone; whoever archives one by itself saw it."""
    read, seen, archived = [await create() for _ in range(3)]
    await store.mark_notification_read(ALICE, read.id)
    await store.change_notification(ALICE, read.id, Change(read=False))
    await store.mark_notifications_seen(ALICE, [seen.id])
    await store.delete_notification(None, seen.id)
    await store.change_notification(ALICE, archived.id, Change(archived=True))
    told = [(await trace(one.id)).verdict for one in (read, seen, archived)]

    assert told[0].startswith("Yes: it was read at 2026-")
    assert told[1].startswith("Yes: it was in an open list at 2026-")
    assert told[2].startswith("Probably: it was archived at 2026-")


async def test_what_was_done_to_all_is_not_done_to_what_was_not_listed(trace, create, store, clock):
    """What waits or is archived was not read with the others."""
    away = await create()
    await store.change_notification(ALICE, away.id, Change(snoozed_until=clock.now + HOUR_MS))
    await create()
    await store.mark_all_notifications_read(ALICE, None)
    told = await trace(away.id)

    assert "read" not in kinds(told, "inbox")
    assert told.verdict.startswith("Probably: it was snoozed until ")


async def test_what_was_done_to_all_is_not_done_to_what_was_gone(trace, create, store):
    """What is read after a deletion was read without it."""
    gone = await create()
    await store.delete_notification(None, gone.id)
    await create()
    await store.mark_all_notifications_read(ALICE, None)

    assert (await trace(gone.id)).verdict.startswith("Not known: it was deleted by its user, or taken back, at 2026-")


async def test_what_was_done_to_all_is_not_done_to_what_had_expired(trace, create, store, clock):
    """Though its row was still there."""
    over = await create(expires_at=clock.now + HOUR_MS)
    clock.now += 2 * HOUR_MS
    await create()
    await store.mark_all_notifications_read(ALICE, None)

    assert "read" not in kinds(await trace(over.id), "inbox")


async def test_one_that_was_deleted(nodes, trace, create, store):
    """By whom is not told, so nobody says that its user had not seen it; nor is it denied that it was sent before."""
    made = await create()
    await store.delete_notification(ALICE, made.id)
    nobody = (await trace(made.id)).verdict
    nodes.come("s", 0, 0, made.seq)

    assert nobody.startswith("Not known: it was deleted by its user, or taken back, at 2026-")
    sent = (await trace(made.id)).verdict
    assert sent.startswith("Perhaps: it was sent to a session, none of which has acknowledged it; ")
    assert ". Then it was deleted by its user, or taken back, at 2026-" in sent


@pytest.mark.parametrize(
    ("tries", "says"),
    [
        ([("retry", "timeout"), ("retry", "http 429")], "a push could not be sent yet (http 429)"),
        ([("retry", "timeout"), ("gone", "http 410")], "the device that it was pushed to is gone (http 410)"),
        ([("retry", "timeout"), ("refused", "http 413")], "a push was refused (http 413)"),
        ([("skipped", "quiet hours until 1"), ("skipped", "quiet hours until 2")], "pushed: quiet hours until 2"),
    ],
)
async def test_why_a_push_did_not_get_there(*, store, trace, create, clock, tries, says):
    """The last word about a device counts, not the first."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    made = await create()
    deliveries = SqlDeliveries(store)
    for outcome, reason in tries:
        (due,) = await deliveries.claim(1, 1)
        tried = {"channel": "fcm", "target": "d-1", "outcome": outcome, "reason": reason}
        attempt = Attempt(notification_id=made.id, user_id=ALICE, **tried)
        await deliveries.settle([Settlement(due.delivery, [attempt], 1, 0, clock.now)])
        clock.now += 1

    assert says in (await trace(made.id)).verdict


async def test_that_a_kind_is_missing_is_not_why_another_was_not_pushed_to(store, trace, create):
    """What is said of the phone that its user has counts, not that there is no browser."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    made = await create()
    deliveries = SqlDeliveries(store)
    (due,) = await deliveries.claim(1, 1)
    said = {"fcm": "muted by the user", "webpush": "not set up on this server", "channels": "nothing is registered"}
    skips = [
        Attempt(notification_id=made.id, user_id=ALICE, channel=channel, outcome="skipped", reason=reason)
        for channel, reason in said.items()
    ]
    await deliveries.settle([Settlement(due.delivery, skips, 1, 0, None)])

    assert "nothing was pushed: muted by the user." in (await trace(made.id)).verdict


async def test_what_is_planned_is_the_next_try_where_that_comes_first(store, trace, create, clock):
    """The next rung has its own time."""
    await store.register_device(DeviceDraft(user_id=ALICE, token="t-1", platform="android"), 20)
    made = await create()
    deliveries = SqlDeliveries(store)

    async def planned(retry_at, due_at):
        (due,) = await deliveries.claim(1, 1)
        tried = {"channel": "fcm", "target": "d-1", "outcome": "retry", "retry_at": retry_at}
        attempt = Attempt(notification_id=made.id, user_id=ALICE, **tried)
        await deliveries.settle([Settlement(due.delivery, [attempt], 0, 1, due_at)])
        return next(step.text for step in (await trace(made.id)).timeline if step.kind == "planned")

    soon = clock.now + 5_000
    assert (await planned(soon, soon)).startswith("what could not be sent is tried again, unless")
    clock.now = soon
    assert (await planned(soon + 2 * HOUR_MS, soon + HOUR_MS)).startswith("rung 1: Firebase and Web Push, unless")
