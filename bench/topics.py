"""What a topic costs: 100,000 followers, each a notification with its event. ``python -m bench.topics [FOLLOWERS]``."""

import asyncio
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from tocsin.adapters.sql.fan_out import SqlFanOut
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.application.fan_out import FanOut
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.user_id import UserId

MESSAGE = "Everything in the shop costs half as much from now until midnight. " * 2


def peak_mib() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def run(followers: int, path: str) -> None:
    """Fill a database, publish, and tell what it took; the second time after a stop in the middle."""
    store = SqliteStore(path)
    await store.start()
    with sqlite3.connect(path) as connection:
        rows = ((f"u-{number:07}", "news", 0) for number in range(followers))
        connection.executemany("INSERT INTO tocsin_topic_subscription VALUES (?, ?, ?)", rows)
        devices = (
            (f"d-{number}", f"u-{number:07}", "token", f"t-{number}", "web", None, 0, 0) for number in range(followers)
        )
        connection.executemany("INSERT INTO tocsin_device VALUES (?, ?, ?, ?, ?, ?, ?, ?)", devices)
    connection.close()
    before = peak_mib()
    began = time.perf_counter()
    jobs = SqlFanOut(store)
    job = await FanOut(jobs).publish(
        "news", NotificationDraft(user_id=UserId(""), type="sale", title="Sale", message=MESSAGE)
    )
    fan_out = FanOut(jobs)
    fan_out.rounds.start()
    while (found := await jobs.get(job.id)).done < followers // 2:  # noqa: ASYNC110 as a back end looks
        await asyncio.sleep(0.01)
    await fan_out.rounds.stop()
    print(f"stopped at {found.done:,} of {found.total:,} after {time.perf_counter() - began:.1f} s, and started again")
    fan_out = FanOut(jobs)
    fan_out.rounds.start()
    while (found := await jobs.get(job.id)).state != "done":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    took_s = time.perf_counter() - began
    await fan_out.rounds.stop()
    await store.stop()
    print(f"{found.done:,} users with a device each: {took_s:.1f} s, {found.done / took_s:,.0f} users/s")
    print(f"peak memory {before:.0f} MiB before, {peak_mib():.0f} MiB after")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, str(Path(folder) / "t.db")))
