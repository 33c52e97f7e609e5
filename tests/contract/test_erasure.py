"""Erasing a user: nothing of it is left in any table, on every database, and others keep what is theirs."""

from itertools import count

import orjson
import pytest
from sqlalchemy import Integer, LargeBinary, bindparam, insert, select

from tests.contract.conftest import everything
from tests.contract.erasing import ALICE, create, erase, message
from tocsin.adapters.sql import erase_mentions, erase_own, erasures, inbox, schema, streams
from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.erasures import SqlErasures
from tocsin.application.deliveries import Settlement
from tocsin.application.once import Once
from tocsin.domain.conversation import PageQuery
from tocsin.domain.delivery import Attempt
from tocsin.domain.device import DeviceDraft
from tocsin.domain.erasure import SETTLE_MS
from tocsin.domain.notification import Notification
from tocsin.domain.stream import StreamEvent, StreamKey, resync_reason
from tocsin.domain.user_id import UserId

NOTIFICATIONS, CHAT = (StreamKey(UserId("bob"), namespace) for namespace in ("/notifications", "/chat"))


@pytest.fixture
def jobs(store):
    return SqlErasures(store)


async def rows_of_all(store):
    queries = [compiled(select(table)) for table in schema.metadata.sorted_tables]
    return await store.read(lambda reader: [row for query in queries for row in reader.execute(query).fetchall()])


def rows_that_name(user_id):
    """Return, for every table, a row for each form of each column that may name a user, whatever else stands there."""
    numbers = count(1)
    for table in set(schema.metadata.sorted_tables) - erase_mentions.KEPT:
        columns = [column.name for column in table.c]
        named = [name for name in columns if name.endswith("user_id") or name in NAMES]
        assert named, f"{table.name} has no column that names a user: is it one of KEPT?"
        for wanted, form in [(name, form) for name in named for form in FORMS.get(name, [lambda one: one])]:
            row = {}
            for column in table.c:
                number = next(numbers)
                if column.name == wanted:
                    value = form(user_id)
                elif column.name == "state":
                    value = "done"
                elif isinstance(column.type, LargeBinary):
                    value = b"[]" if column.name in {"user_ids", "group_actors"} else b"{}"
                elif isinstance(column.type, Integer):
                    value = number
                else:
                    value = f"other-{number}"
                row[column.name] = value
            yield table, row
            if wanted == "payload":
                yield (
                    schema.stream,
                    {"unread": None, "pruned": 0, "acked": 0}
                    | {name: row[name] for name in ("user_id", "namespace", "seq")},
                )


NAMES = {"peer_id", "actor_id", "claimed_by", "owner", "draft", "result", "user_ids", "group_actors", "payload"}


def told(user_id, title="of others", **fields):
    fields = {"category": None, "priority": "normal", "sound": None, "created_at": 1, "data": {}} | fields
    return Notification(id="n", user_id=user_id, seq=1, type="t", title=title, message=title, **fields)


def event(user_id, /, **payload):
    return StreamEvent(user_id, "/sns", 1, "e", "post_liked", orjson.dumps(payload), 1)


# As the code that keeps them makes them.
FORMS = {
    "owner": [lambda one: f"publish\n{one}"],
    "draft": [lambda one: orjson.dumps({"user_id": one, "actor_id": one, "actor_name": one, "title": "a", "data": {}})],
    "result": [
        lambda one: orjson.dumps(inbox.to_json(told(one, one, data={"name": one}, group_key="k", group_actors=[]))),
        lambda one: orjson.dumps(inbox.to_json(told("bob", claimed_by=one, group_actors=[{"id": one, "name": one}]))),
        lambda one: orjson.dumps(inbox.many_to_json([told(one, one), told("bob", one)])),
        lambda one: orjson.dumps(streams.events_to_json([event(one, text=one)])),
        lambda one: orjson.dumps(streams.events_to_json([event("bob", user_id=one, user_name=one)])),
        lambda one: orjson.dumps({"id": "c", "user_id": one, "category": None, "name": one, "created_at": 1}),
        lambda one: orjson.dumps([{"id": "s", "due_at": 1, "user_id": one, "topic": None, "title": one}]),
    ],
    "user_ids": [lambda one: orjson.dumps(["aaron", one, "bob"])],
    "group_actors": [lambda one: orjson.dumps([{"id": one, "name": one}, {"id": "carol", "name": "C"}])],
    "payload": [
        lambda one: orjson.dumps({"from_user_id": one, "message": one}),
        lambda one: orjson.dumps(told("bob", group_key="k", group_actors=[{"id": one, "name": one}]).json()),
    ],
}


def test_every_table_is_thought_of():
    """A new table must be said to hold what a user owns, to name users, or neither."""
    mentioned = {mention.table for mention in erase_mentions.MENTIONS}

    assert set(schema.metadata.sorted_tables) == erase_own.OWNED | mentioned | erase_mentions.KEPT


@pytest.mark.parametrize("user_id", [ALICE, UserId('"al\\ice", zoë-7f3a')], ids=["plain", "escaped in JSON"])
async def test_no_table_names_the_user_afterwards(store, jobs, clock, user_id):
    """Whatever column of whatever table named the user, in whichever form."""
    rows = [*rows_that_name(user_id)]

    def fill(transaction):
        for table, row in rows:
            wanted = insert(table).values({name: bindparam(name) for name in row})
            transaction.execute(compiled(wanted), row)

    await store.write(fill)
    assert (await everything(store)).count("ice") >= len(rows)
    await erase(jobs, clock, user_id)

    left = [row for row in await rows_of_all(store) if "ice" in repr(row)]
    assert [] == left


async def test_what_others_wrote_and_where_it_stands_stays(store, jobs, clock):
    """Of a conversation the other's messages stay, the user's places are empty, and their order is as before."""
    sent = [
        await store.send_message(message(ALICE, "bob", "my secret", client_msg_id="one")),
        await store.send_message(message("bob", ALICE, "Bob's own words")),
        await store.send_message(message(ALICE, "bob", "another secret")),
        await store.send_message(message("bob", "carol", "of others")),
    ]
    await store.send_message(message(ALICE, ALICE, "a note to self"))
    await erase(jobs, clock)
    chats = SqlChat(store)
    (carol, alias) = [
        (one.user_id, one.last_message.id) for one in (await chats.conversations("bob", None, 10)).conversations
    ]
    page = await chats.page(UserId("bob"), PageQuery(peer_id=alias[0]))

    assert (("carol", sent[3].id), sent[2].id) == (carol, alias[1])
    assert alias[0].startswith("erased-")
    assert [one.id for one in sent[:3]] == [one.id for one in page.messages]
    assert ["", "Bob's own words", ""] == [one.message for one in page.messages]
    assert [True, False, True] == [one.deleted_at is not None for one in page.messages]
    assert "secret" not in await everything(store)
    assert "a note to self" not in await everything(store)


async def test_whoever_follows_a_stream_that_named_the_user_fetches_anew(store, jobs, clock, draft):
    """Bob's client of chat does, wherever it stood; the one of notifications does not have to."""
    await store.send_message(message(ALICE, "bob"))
    await create(store, draft("bob", title="nothing of her"))
    before = await store.heads([CHAT, NOTIFICATIONS])
    cut = await erase(jobs, clock)
    after = await store.heads([CHAT, NOTIFICATIONS])

    assert [CHAT] == cut
    assert "pruned" == resync_reason(store.epoch, before[0].seq, after[0], store.epoch)
    assert before[1] == after[1]
    assert [] == (await store.read_stream(CHAT, after[0].pruned, 10)).events


async def test_a_number_is_not_taken_for_a_user(store, jobs, clock, draft):
    """User 7 goes; the sevens of others are no mention, and titles stay."""
    await create(store, draft("bob", title="7", data={"count": 7, "size": "7"}))
    await create(store, draft("7", title="to go"))
    before = await store.heads([NOTIFICATIONS])
    cards = await store.read(lambda reader: reader.execute(_ROWS, {"user_id": "bob"}).fetchall())
    await erase(jobs, clock, UserId("7"))

    assert cards == await store.read(lambda reader: reader.execute(_ROWS, {"user_id": "bob"}).fetchall())
    assert before[0].pruned <= (await store.heads([NOTIFICATIONS]))[0].seq
    assert [] == await store.read(lambda reader: reader.execute(_ROWS, {"user_id": "7"}).fetchall())


async def test_what_was_on_its_way_goes_with_the_last_look(store, jobs, clock, draft):
    """A push that ended after the rows were gone is recorded, and then erased too."""
    deliveries = SqlDeliveries(store)
    await store.register_device(DeviceDraft(user_id=ALICE, token="t" * 40, platform="ios"), 20)
    told = await create(store, draft(ALICE))
    (due,) = await deliveries.claim(10, 60_000)
    await jobs.request(ALICE)
    await jobs.work(ALICE, lambda _: None)
    attempt = Attempt(notification_id=told.id, user_id=ALICE, channel="fcm", outcome="sent")
    await deliveries.settle([Settlement(due.delivery, [attempt], 1, 0, None)])

    assert None is await deliveries.next_due()
    assert told.id in await everything(store)
    clock.now += SETTLE_MS
    assert None is await jobs.work(ALICE, lambda _: None)
    assert told.id not in await everything(store)


async def test_it_settles_before_the_last_look(store, jobs, clock):
    """Nobody works at it before it is due again."""
    await jobs.request(ALICE)
    await jobs.work(ALICE, lambda _: None)
    clock.now += SETTLE_MS - 1

    assert "settling" == (await jobs.work(ALICE, lambda _: None)).state
    assert ["settling"] == [job.state for job in await jobs.list()]


async def test_asking_again_changes_nothing(store, jobs, clock):
    """The job that runs is the answer; one that is done may be asked for once more."""
    first = await jobs.request(ALICE)
    clock.now += 5

    assert first == await jobs.request(ALICE)
    await erase(jobs, clock)
    await erase(jobs, clock)
    assert None is await jobs.find(ALICE)


async def test_no_transaction_takes_more_than_a_turn(store, jobs, clock, draft, monkeypatch):
    """Of thousands of rows each turn takes a bounded number, and whole tables are read in parts."""
    monkeypatch.setattr(erasures, "TURN", 7)
    for mention in (*erase_mentions.MENTIONS,):
        monkeypatch.setattr(mention.pages, "_page", 4)
    taken = []
    turn = erase_own.turn
    monkeypatch.setattr(erase_own, "turn", lambda *asked: taken.append(turn(*asked)) or taken[-1])
    for number in range(30):
        await store.send_message(message(ALICE, f"peer-{number % 3}"))
        await create(store, draft(ALICE, title=str(number)))
    await erase(jobs, clock)

    assert max(rows for rows, _ in taken[:-1]) <= 7
    assert ALICE not in await everything(store)


async def test_a_back_end_that_repeats_a_list_reaches_nobody_twice(opened, store, jobs, clock, draft):
    """The key of a write to several stays, without the user in it."""
    once = Once("publish\nshop", "key", b"print")
    users = [ALICE, UserId("bob")]
    words = orjson.dumps({"user_id": ALICE, "comment": "to both"})
    await store.append_event("/sns", "post_commented", users, words, once)
    await erase(jobs, clock)
    opened.take()
    again = await store.append_event("/sns", "post_commented", users, words, once)

    assert [] == opened.take()
    assert [b"{}", b"{}"] == [event.payload for event in again]
    assert ALICE not in await everything(store)


@pytest.mark.parametrize(
    "payload",
    [{"actors": 3, "user_id": ALICE}, {"actors": None, "user_id": ALICE}, {"actors": [ALICE, {"id": ALICE}]}],
    ids=["a number", "nothing", "strings"],
)
async def test_what_a_back_end_has_put_into_an_event_stops_no_erasure(store, jobs, clock, payload):
    """Whatever its data looks like."""
    await store.append_event("/sns", "post_liked", [UserId("bob")], orjson.dumps(payload))
    await erase(jobs, clock)

    assert ALICE not in await everything(store)


_ROWS = compiled(select(schema.notification).where(schema.notification.c.user_id == bindparam("user_id")))
