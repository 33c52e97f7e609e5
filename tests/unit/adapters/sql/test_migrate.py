"""Migrations lead to the schema, once, whoever starts them."""

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from tocsin.adapters.sql.connection import open_writer
from tocsin.adapters.sql.migrate import SchemaOfHost, SchemaTooNew, latest, upgrade
from tocsin.adapters.sql.schema import metadata
from tocsin.adapters.sql.sqlite import SqliteStore


def definitions(path):
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    connection.close()
    return {name: " ".join(sql.split()) for name, sql in found if name != "tocsin_version"}


def test_migrations_lead_to_the_schema(tmp_path):
    """A migrated database and one made from the schema have the same tables and indexes."""
    upgrade(str(tmp_path / "migrated.db"))
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}", poolclass=NullPool)
    metadata.create_all(engine)

    assert definitions(tmp_path / "made.db") == definitions(tmp_path / "migrated.db")


def test_alembic_sees_no_difference(tmp_path):
    """Autogenerate has nothing to add."""
    path = tmp_path / "migrated.db"
    upgrade(str(path))

    with create_engine(f"sqlite:///{path}", poolclass=NullPool).connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), metadata)


def test_upgrading_twice_changes_nothing(tmp_path):
    """The second time finds the latest revision and keeps what is stored."""
    path = str(tmp_path / "t.db")

    assert latest() == upgrade(path) == upgrade(path)


def test_a_look_waits_for_no_writer(tmp_path, monkeypatch):
    """Where there is nothing to do, whoever holds the lock need not be waited for."""
    monkeypatch.setattr("tocsin.adapters.sql.migrate._LOCK_TIMEOUT_S", 0.1)
    path = str(tmp_path / "t.db")
    open_writer(path).close()
    upgrade(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")

        assert latest() == upgrade(path)


async def test_stores_that_start_at_once_upgrade_once(tmp_path):
    """Four processes on a new file: one makes the schema, the others wait; they share its epoch."""
    stores = [SqliteStore(str(tmp_path / "t.db")) for _ in range(4)]

    await asyncio.gather(*[store.start() for store in stores])

    assert 1 == len({store.epoch for store in stores})
    for store in stores:
        await store.stop()


def test_a_later_schema_is_refused(tmp_path):
    """A database of a later release is left alone, with a clear word."""
    path = str(tmp_path / "t.db")
    upgrade(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE tocsin_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    with pytest.raises(SchemaTooNew, match="later release"):
        upgrade(path)


def test_a_failed_migration_leaves_the_old_schema(tmp_path):
    """All steps are one transaction: with a view in the way, nothing of them stays."""
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE VIEW tocsin_message AS SELECT 1")
    connection.close()

    with pytest.raises(Exception, match="already exists"):
        upgrade(str(path))
    assert {"tocsin_message"} == set(definitions(path))


@pytest.fixture
def unprefixed(tmp_path):
    """Return the path of a database from before the prefix, with a row in each table."""
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(Path(__file__).with_name("schema_0001.sql").read_text(encoding="utf-8"))
    for table, row in OLD_ROWS.items():
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    connection.commit()
    connection.close()
    return str(path)


OLD_ROWS = {
    "life": (1, "e" * 16),
    "stream": ("7", "/chat", 2, 1, 1),
    "stream_event": ("7", "/chat", 2, "e-2", "message_received", b"{}", 5),
    "notification": ("n-1", "7", 1, "t", "Title", "", b"{}", None, "normal", None, 5, None, None, None),
    "message": ("m-1", "8", "7", "Hi", "c-1", 2, 5, None),
    "idempotency_key": ("owner", "key", b"f", b"r", 5),
}


def rows(path, table):
    connection = sqlite3.connect(path)
    found = connection.execute(f"SELECT * FROM {table}").fetchall()
    connection.close()
    return found


def test_tables_without_the_prefix_are_moved_over(unprefixed):
    """A database of the first revision keeps its rows and gets what a new one has."""
    assert latest() == upgrade(unprefixed)

    assert [(latest(),)] == rows(unprefixed, "tocsin_version")
    for table, row in OLD_ROWS.items():
        assert [row] == [found[: len(row)] for found in rows(unprefixed, f"tocsin_{table}")]
    with create_engine(f"sqlite:///{unprefixed}", poolclass=NullPool).connect() as connection:
        # With the table of the revision: nothing of the old names is left.
        options = {"version_table": "another"}
        assert [] == compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_a_move_that_fails_leaves_the_old_tables(unprefixed):
    """The renames are part of the one transaction, the table of the revision's too."""
    connection = sqlite3.connect(unprefixed)
    connection.execute("CREATE TABLE tocsin_device (other INTEGER)")
    connection.close()

    with pytest.raises(Exception, match="already exists"):
        upgrade(unprefixed)
    assert [("0001",)] == rows(unprefixed, "alembic_version")
    assert [OLD_ROWS["message"]] == rows(unprefixed, "message")


def test_a_step_keeps_what_is_stored(tmp_path):
    """A database of the release before, with rows, gets the new tables and columns and loses nothing."""
    path = str(tmp_path / "t.db")
    upgrade(path, "0004")
    device = ("d-1", "7", "token", "t", "web", "Laptop", 5, 6)
    execute(path, f"INSERT INTO tocsin_device VALUES {device}")
    for values in ("'m-1', '7', '8', 'Hi', NULL, 1, 5, NULL, NULL", "'m-2', '8', '7', 'Hi!', NULL, 1, 6, 9, NULL"):
        execute(path, f"INSERT INTO tocsin_message VALUES ({values})")

    execute(path, "INSERT INTO tocsin_stream VALUES ('7', '/notifications', 2, 0, 0)")
    for seq, read_at in ((1, "NULL"), (2, "9")):
        values = f"'n-{seq}', '7', {seq}, 't', 'Hi', '', '{{}}', NULL, 'normal', NULL, 5, NULL, {read_at}, NULL"
        execute(path, f"INSERT INTO tocsin_notification VALUES ({values})")

    execute(
        path, 'INSERT INTO tocsin_preference VALUES (\'7\', \'{"muted": {"promo": ["fcm"]}, "quiet_hours": null}\', 5)'
    )

    tried = ("a-1", "n-1", "7", 5, "fcm", "d-1", "web", "retry", "UNAVAILABLE")
    execute(path, f"INSERT INTO tocsin_delivery_attempt VALUES ({str(tried)[1:-1]}, NULL)")

    assert latest() == upgrade(path)
    assert [(*tried, None, None)] == rows(path, "tocsin_delivery_attempt")
    ((_, said, _),) = rows(path, "tocsin_preference")
    assert {"categories": {"promo": {"fcm": False}}, "quiet_hours": None} == json.loads(said)
    upgrade(whole := str(tmp_path / "whole.db"))
    assert definitions(whole).keys() == definitions(path).keys()
    assert [("7", "/notifications", 2, 0, 0, 1)] == rows(path, "tocsin_stream")
    assert [device] == rows(path, "tocsin_device")
    assert [("7", "8", "m-2", None), ("8", "7", "m-2", None)] == rows(path, "tocsin_conversation")
    assert [("Hi", 5), ("Hi!", 9)] == [(row[3], row[9]) for row in rows(path, "tocsin_message")]


def test_tables_of_a_host_are_left_alone(tmp_path):
    """A host may have tables of the names that ours once had, and migrations of its own."""
    path = str(tmp_path / "host.db")
    connection = sqlite3.connect(path)
    host = {"message": "A", "notification": "B", "stream": "C", "life": "D", "alembic_version": "0001"}
    for table, value in host.items():
        connection.execute(f"CREATE TABLE {table} (host TEXT)")
        connection.execute(f"INSERT INTO {table} VALUES (?)", (value,))
    connection.commit()
    connection.close()

    upgrade(path)

    assert host == {table: rows(path, table)[0][0] for table in host}
    assert [(latest(),)] == rows(path, "tocsin_version")


@pytest.fixture
def host_made(tmp_path):
    """Return the path of a database whose tables were made by a host's own migrations."""
    path = tmp_path / "host.db"
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    metadata.create_all(engine)
    return str(path)


def execute(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_tables_that_a_host_made_are_left_to_it(host_made):
    """An upgrade finds them right and changes nothing, not even the revision."""
    before = definitions(host_made)

    assert latest() == upgrade(host_made)
    assert before == definitions(host_made)
    assert [] == rows(host_made, "tocsin_version")


async def test_a_store_works_on_tables_that_a_host_made(host_made):
    """It begins the life of the streams there."""
    store = SqliteStore(host_made)
    await store.start()
    await store.stop()

    assert [(1, store.epoch)] == rows(host_made, "tocsin_life")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE tocsin_message DROP COLUMN edited_at", "add_column tocsin_message.edited_at"),
        ("DROP TABLE tocsin_topic_subscription", "add_table tocsin_topic_subscription"),
        ("DROP INDEX ix_tocsin_device_token", "add_index ix_tocsin_device_token"),
        ("DROP TABLE tocsin_version", "add_table tocsin_version"),
    ],
)
def test_a_host_that_is_behind_is_told_so(host_made, change, told):
    """Its migrations are the ones to run; nothing is mended behind its back."""
    execute(host_made, change)
    before = definitions(host_made)

    with pytest.raises(SchemaOfHost, match=rf"\({re.escape(told)}\): run `flask db migrate` and `flask db upgrade`"):
        upgrade(host_made)
    assert before == definitions(host_made)


@pytest.mark.parametrize(
    "addition",
    [
        "CREATE TABLE orders (id INTEGER)",
        "ALTER TABLE tocsin_message ADD COLUMN pinned_at BIGINT",
        "CREATE INDEX mine ON tocsin_message (created_at)",
    ],
)
def test_what_a_host_has_besides_is_no_difference(host_made, addition):
    """Tables of its own, a column of a later release, an index: the server starts."""
    execute(host_made, addition)

    assert latest() == upgrade(host_made)
