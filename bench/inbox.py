"""How the cost of an inbox grows with what is in it. ``python -m bench.inbox [UNREAD …]``."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.domain.notification import Change, InboxFilter, NotificationDraft
from tocsin.domain.user_id import UserId

SIZES = (100, 10_000, 50_000)
TIMES = 300
USER = UserId("7")


def draft(number: int, **fields: Any) -> NotificationDraft:
    """Return one of an ordinary size."""
    return NotificationDraft(
        user_id=USER, type="order", title=f"Order {number}", message="On its way", category="orders", **fields
    )


async def timed(act: Callable[[int], Awaitable[object]]) -> float:
    """Return what one takes in microseconds, the median of many."""
    took = []
    for number in range(TIMES):
        began = time.perf_counter()
        await act(number)
        took.append(time.perf_counter() - began)
    return sorted(took)[TIMES // 2] * 1e6


async def measure(store: SqliteStore, size: int) -> dict[str, float]:
    """Return microseconds, a commit included, of what is done to an inbox of so many unread ones."""
    for start in range(0, size, 500):
        await store.create_notifications([draft(start + number) for number in range(min(500, size - start))])
    page = await store.list_notifications(USER, InboxFilter(), before=None, limit=200)
    assert page.unread_count == size
    ids = [one.id for one in page.notifications]

    async def change(number: int) -> None:
        await store.change_notification(USER, ids[number % len(ids)], Change(read=number // len(ids) % 2 == 0))

    return {
        "create": await timed(lambda number: store.create_notifications([draft(number)])),
        "replace": await timed(lambda number: store.create_notifications([draft(number, collapse_key="k")])),
        "group": await timed(
            lambda number: store.create_notifications([draft(number, group_key="g", actor_id=UserId(str(number)))])
        ),
        "read": await timed(change),
        "list of 20": await timed(lambda _: store.list_notifications(USER, InboxFilter(), before=None, limit=20)),
        "stats": await timed(lambda _: store.notification_stats(USER)),
    }


async def main(sizes: list[int]) -> None:
    """Print a table, a row a size."""
    header = ""
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            store = SqliteStore(str(Path(folder) / "inbox.db"))
            await store.start()
            found = await measure(store, size)
            await store.stop()
        if not header:
            header = "unread     " + "".join(f"{name:>12}" for name in found)
            print(f"median of {TIMES}, in µs\n{header}")
        print(f"{size:<11,}" + "".join(f"{value:>12,.0f}" for value in found.values()))


if __name__ == "__main__":
    asyncio.run(main([int(size) for size in sys.argv[1:]] or list(SIZES)))
