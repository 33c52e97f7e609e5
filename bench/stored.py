"""
How the stores bear what has piled up: ``python -m bench.stored``, with 10,000 events and more.

Fills a SQLite file and a PostgreSQL of its own with notifications and their
events, evenly over users, and measures what a user waits for.
"""

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path

import psycopg
import uvloop

from bench.parts import postgres
from bench.stores import median_us, per_second
from tocsin.adapters.sql import open_store
from tocsin.adapters.sql.store import SqlStore
from tocsin.domain.notification import InboxFilter, NotificationDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

EACH = 1_000  # events of a user at most: what retention leaves
CALLERS = 128
MISSED = 20
PAYLOAD = (
    '{"id":"0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3","type":"order","title":"Order","message":"On its way","data":{}}'
)

# One text for both databases; SQLite has no generate_series of its own.
NUMBERS = "WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < {last})"
FILL = (
    """INSERT INTO tocsin_stream (user_id, namespace, seq, pruned, acked, unread) {of_users}
    SELECT 'u' || n, '/notifications', {each}, 0, 0, {each} FROM number""",
    """INSERT INTO tocsin_stream_event (user_id, namespace, seq, event_id, event, payload, created_at) {of_events}
    SELECT 'u' || (n % {users}), '/notifications', n / {users} + 1, 'e' || n, 'notification', {payload}, {now}
    FROM number""",
    """INSERT INTO tocsin_notification (id, user_id, seq, type, title, message, data, priority, created_at) {of_events}
    SELECT 'n' || n, 'u' || (n % {users}), n / {users} + 1, 'order', 'Order', 'On its way', {data}, 'normal', {now}
    FROM number""",
)


def statements(events: int, users: int, blob: str) -> list[str]:
    """Return what fills an empty database; ``blob`` is how it writes bytes."""
    names = {
        "users": users,
        "each": events // users,
        "now": int(time.time() * 1000),
        "payload": blob.format(PAYLOAD.encode().hex()),
        "data": blob.format(b"{}".hex()),
        "of_users": NUMBERS.format(last=users - 1),
        "of_events": NUMBERS.format(last=events - 1),
    }
    return [statement.format(**names) for statement in FILL]


async def prepared(url: str) -> None:
    """Make the tables."""
    store = open_store(url)
    await store.start()
    await store.stop()


def fill(url: str, events: int, users: int) -> int:
    """Fill the database; return its size in bytes."""
    uvloop.run(prepared(url))
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            for statement in statements(events, users, "x'{}'"):
                connection.execute(statement)
            connection.execute("ANALYZE")
        connection.close()
        return Path(path).stat().st_size
    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements(events, users, "'\\x{}'::bytea"):
            server.execute(statement)
        server.execute("VACUUM ANALYZE")
        row = server.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row
    return int(row[0])


async def measure(store: SqlStore, users: int, each: int) -> dict[str, float]:
    """Return what operations take."""

    def draft(number: int) -> NotificationDraft:
        user = UserId(f"u{number * 7919 % users}")
        return NotificationDraft(user_id=user, type="order", title="Order", message="On its way")

    def someone(number: int) -> UserId:
        return UserId(f"u{number * 104_729 % users}")

    await store.start()
    try:
        return {
            "a resume, 20 missed, µs": await median_us(
                lambda n: store.read_stream(StreamKey(someone(n), "/notifications"), each - MISSED, MISSED)
            ),
            "list of 20, µs": await median_us(
                lambda n: store.list_notifications(someone(n), InboxFilter(), before=None, limit=20)
            ),
            "a create, µs": await median_us(lambda n: store.create_notifications([draft(n)])),
            f"creates/s, {CALLERS} callers": await per_second(
                CALLERS, lambda n: store.create_notifications([draft(n)])
            ),
        }
    finally:
        await store.stop()


def main() -> None:
    """Print a table, a column a store and number of events."""
    parser = argparse.ArgumentParser(prog="python -m bench.stored", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="stored beforehand")
    columns: dict[str, dict[str, float]] = {}
    for events in parser.parse_args().events:
        users = max(10, events // EACH)
        with tempfile.TemporaryDirectory() as folder, postgres() as server:
            for name, url in (("SQLite", f"sqlite:///{Path(folder) / 'bench.db'}"), ("PostgreSQL", server.url)):
                size = fill(url, events, users)
                found = uvloop.run(measure(open_store(url), users, events // users))
                columns[f"{name}, {events:,}"] = {"bytes an event": size / events, **found}
    print("| | " + " | ".join(columns) + " |")
    print("|---|" + "--:|" * len(columns))
    for row in next(iter(columns.values())):
        print(f"| {row} | " + " | ".join(f"{column[row]:,.0f}" for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
