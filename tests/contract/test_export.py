"""A user's data given out while it changes: what only moves is there, and once."""

from tests.contract.erasing import ALICE
from tocsin.adapters.sql.export import SqlExport
from tocsin.domain.notification import Change


async def archive(store, one, *, archived):
    await store.change_notification(ALICE, one.id, Change(archived=archived))


async def test_what_goes_to_the_archive_and_back_meanwhile_comes_once(store, draft):
    """Wherever the reading stands: in front of it and behind it."""
    first, *rest = await store.create_notifications([draft(ALICE, title=str(number)) for number in range(700)])
    *_, last = rest
    await archive(store, first, archived=True)
    told = []
    async for kind, rows in SqlExport(store).parts(ALICE):
        if kind == "notifications" and rows and not told:
            await archive(store, first, archived=False)
            await archive(store, last, archived=True)
        told += [row["id"] for row in rows if kind == "notifications"]

    assert sorted(one.id for one in (first, *rest)) == sorted(told)


async def test_what_is_delivered_meanwhile_is_told_of(store, draft, clock):
    """As what was scheduled, at least: it must not be in neither."""
    [kept] = await store.schedule_notifications([draft(ALICE)], clock() + 1_000, None)
    told = set()
    async for kind, rows in SqlExport(store).parts(ALICE):
        if kind == "messages":
            clock.forward(hours=1)
            await store.change_by_time(10)
        told |= {row["id"] for row in rows if kind in {"scheduled", "notifications"}}

    assert {kept.id} == told
