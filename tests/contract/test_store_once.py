"""What every store guarantees of writes that happen once."""

import asyncio

import pytest

from tocsin.application.once import Once
from tocsin.domain.errors import KeyReused, NotFound
from tocsin.domain.notification import InboxFilter

ONCE = Once("alice publish", "key-1", b"fingerprint")

WRITES = {
    "create one": lambda store, draft, target, once: store.create_notifications([draft()], once),
    "create many": lambda store, draft, target, once: store.create_notifications(
        [draft(f"user{n}", title=f"{n}", data={"n": n}) for n in range(5)], once
    ),
    "read": lambda store, draft, target, once: store.mark_notification_read("alice", target.id, once),
    "read all": lambda store, draft, target, once: store.mark_all_notifications_read("alice", None, once),
    "delete": lambda store, draft, target, once: store.delete_notification("alice", target.id, once),
    "append": lambda store, draft, target, once: store.append_event(
        "/orders", "order_updated", ["bob", "alice"], '{"status":"배송"}'.encode(), once
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_repeat_gives_the_first_result_and_no_event(opened, draft, write):
    """Any write with a key happens once; the answer is the same, the readers hear once."""
    (target,) = await opened.store.create_notifications([draft()])
    opened.take()
    first = await write(opened.store, draft, target, ONCE)
    assert opened.take()

    assert first == await write(opened.store, draft, target, ONCE)
    assert [] == opened.take()


async def test_twenty_at_once_are_one(opened, draft):
    """Identical requests at the same moment make one row and one event, and get one id."""
    answers = await asyncio.gather(*[opened.store.create_notifications([draft()], ONCE) for _ in range(20)])

    assert 1 == len({answer[0].id for answer in answers})
    assert 1 == len(opened.take())
    page = await opened.store.list_notifications("alice", InboxFilter(), before=None, limit=10)
    assert 1 == len(page.notifications)


async def test_a_key_survives_a_restart(open_store, draft):
    """The key was committed with its write."""
    first = await open_store()
    created = await first.store.create_notifications([draft()], ONCE)

    second = await open_store()

    assert created == await second.store.create_notifications([draft()], ONCE)


async def test_other_content_under_a_used_key_is_refused(opened, draft):
    """The write under the key stays as it was."""
    await opened.store.create_notifications([draft()], ONCE)
    opened.take()

    with pytest.raises(KeyReused):
        await opened.store.create_notifications([draft(title="other")], Once(ONCE.owner, ONCE.key, b"other"))
    assert [] == opened.take()


async def test_keys_of_two_principals_are_two(opened, draft):
    """The same key of another owner is another key."""
    await opened.store.create_notifications([draft()], ONCE)

    await opened.store.create_notifications([draft()], Once("bob", ONCE.key, b"other"))

    assert 2 == len(opened.take())


async def test_a_key_is_free_after_a_day(opened, draft, clock):
    """A key older than 24 hours serves a new request, pruned or not."""
    await opened.store.create_notifications([draft()], ONCE)
    clock.forward(hours=24)
    later = Once(ONCE.owner, ONCE.key, b"other")

    again = await opened.store.create_notifications([draft()], later)

    assert 2 == len(opened.take())
    assert again == await opened.store.create_notifications([draft()], later)


async def test_a_refused_write_keeps_its_key_free(opened, draft):
    """What was refused may be asked for again and is then judged anew."""
    with pytest.raises(NotFound):
        await opened.store.delete_notification("alice", "no such id", ONCE)

    await opened.store.create_notifications([draft()], Once(ONCE.owner, ONCE.key, b"other"))

    assert 1 == len(opened.take())


async def test_the_first_answer_outlives_its_row(opened, draft):
    """A repeat returns what was created though it has been deleted since."""
    created = await opened.store.create_notifications([draft()], ONCE)
    await opened.store.delete_notification("alice", created[0].id)

    assert created == await opened.store.create_notifications([draft()], ONCE)
