"""SQLite and PostgreSQL side by side, through one store. ``python -m bench.stores postgresql://…`` (empty)."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import token_hex

import uvloop

from tocsin.adapters.sql import open_store
from tocsin.adapters.sql.store import SqlStore
from tocsin.domain.notification import Change, InboxFilter, NotificationDraft
from tocsin.domain.user_id import UserId

CALLERS = (1, 16, 128, 512)
SECONDS = 3.0
TIMES = 300
USERS = 10_000
BULK = 500


def draft(number: int, run: str) -> NotificationDraft:
    """Return one of an ordinary size, to one of many users."""
    return NotificationDraft(
        user_id=UserId(f"{run}-{number % USERS}"), type="order", title=f"Order {number}", message="On its way", data={}
    )


async def per_second(callers: int, act: Callable[[int], Awaitable[object]]) -> float:
    """Return how many a second are done by callers who wait for each."""
    done = 0
    until = time.perf_counter() + SECONDS

    async def call() -> None:
        nonlocal done
        while time.perf_counter() < until:
            done += 1
            await act(done)

    await asyncio.gather(*[call() for _ in range(callers)])
    return done / SECONDS


async def median_us(act: Callable[[int], Awaitable[object]]) -> float:
    """Return what one takes that waits for nobody, the median of many."""
    took = []
    for number in range(TIMES):
        began = time.perf_counter()
        await act(number)
        took.append(time.perf_counter() - began)
    return sorted(took)[TIMES // 2] * 1e6


async def measure(store: SqlStore) -> dict[str, float]:
    """Return creations a second, and microseconds of single operations with their commit."""
    run = token_hex(4)
    await store.start()
    try:
        found = {
            f"creates/s, {callers} callers": await per_second(
                callers, lambda number: store.create_notifications([draft(number, run)])
            )
            for callers in CALLERS
        }
        found[f"creates/s, {BULK} a call"] = BULK * await per_second(
            2, lambda number: store.create_notifications([draft(number * BULK + n, run) for n in range(BULK)])
        )
        user = UserId(f"{run}-mine")
        made = await store.create_notifications(
            [NotificationDraft(user_id=user, type="t", title="Hi", message="") for _ in range(TIMES)]
        )
        read = Change(read=True)
        return found | {
            "create, µs": await median_us(lambda number: store.create_notifications([draft(number, run)])),
            "mark read, µs": await median_us(lambda n: store.change_notification(user, made[n].id, read)),
            "list of 20, µs": await median_us(
                lambda _: store.list_notifications(user, InboxFilter(), before=None, limit=20)
            ),
            "get, µs": await median_us(lambda n: store.get_notification(user, made[n].id)),
        }
    finally:
        await store.stop()


def main(url: str) -> None:
    """Print one line a figure."""
    with tempfile.TemporaryDirectory() as folder:
        sqlite = uvloop.run(measure(open_store(f"sqlite:///{Path(folder) / 'bench.db'}")))
    postgres = uvloop.run(measure(open_store(url)))
    print(f"{'':28}{'SQLite':>10}{'PostgreSQL':>12}")
    for name, value in sqlite.items():
        print(f"{name:28}{value:10,.0f}{postgres[name]:12,.0f}")


if __name__ == "__main__":
    main(sys.argv[1])
