"""The schema on PostgreSQL, and what is said of a URL that leads nowhere."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from tests.postgres import Databases
from tocsin.adapters.sql import migrate, open_store, schema, upgrade_schema
from tocsin.adapters.sql.postgres import PostgresStore
from tocsin.adapters.sql.postgres_connection import connect
from tocsin.domain.errors import Invalid, Overloaded
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId


@pytest.fixture
def url(databases: Databases):
    with databases.database() as url:
        yield url


def rows(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_nodes_that_start_at_once_upgrade_once(url):
    """One makes the tables, the others wait and find them."""
    with ThreadPoolExecutor(4) as threads:
        revisions = {*threads.map(lambda _: upgrade_schema(url), range(4))}

    assert {migrate.latest()} == revisions
    assert {*schema.metadata.tables} == {
        row[0] for row in rows(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }


def test_an_earlier_release_is_brought_up(url):
    """From the first revision on, step by step or at once."""
    migrate.upgrade_postgres(url, "0001")
    assert migrate.latest() == migrate.upgrade_postgres(url)


def test_an_earlier_release_keeps_what_was_tried(url):
    """What its pushes have come to is still told, and nobody is waited for."""
    migrate.upgrade_postgres(url, "0009")
    values = "'a-1', 'n-1', '7', 5, 'fcm', 'd-1', 'web', 'retry', 'UNAVAILABLE', NULL"
    with psycopg.connect(url) as connection:
        connection.execute(f"INSERT INTO tocsin_delivery_attempt VALUES ({values})")
    migrate.upgrade_postgres(url)

    assert [("retry", None)] == rows(url, "SELECT outcome, retry_at FROM tocsin_delivery_attempt")


def test_text_is_ordered_by_its_bytes(url):
    """Whatever language the database sorts by: pages and counters go by the order that Python knows."""
    upgrade_schema(url)
    kinds = "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_name LIKE 'tocsin%'"

    assert [("C",)] == rows(url, f"{kinds} AND data_type = 'text'")


def test_a_later_release_is_left_alone(url):
    """It is said in one line, and nothing is changed."""
    upgrade_schema(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE tocsin_version SET version_num = '9999'")

    with pytest.raises(migrate.SchemaTooNew, match="later release"):
        upgrade_schema(url)


def test_a_commit_is_on_disk_whatever_the_default(url):
    """A server that acks before the flush does not do so for us."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER DATABASE " + connection.info.dbname + " SET synchronous_commit = off")
    with connect(url) as connection:
        assert [("on",)] == connection.execute("SHOW synchronous_commit").fetchall()


async def test_a_server_that_is_not_there_is_an_error_in_one_line():
    """The first start tells of it; nobody waits for ever."""
    with pytest.raises((ConnectionError, OperationalError), match="refused"):
        await PostgresStore("postgresql://127.0.0.1:1/none").start()


def test_a_malformed_url_is_told():
    """What libpq does not understand is said in its words."""
    with pytest.raises(ValueError, match="not one of PostgreSQL"):
        open_store("postgresql://host/name?nonsense=1")


def test_without_the_driver_the_extra_is_named(monkeypatch):
    """The package is an extra."""
    monkeypatch.setitem(sys.modules, "tocsin.adapters.sql.postgres", None)
    with pytest.raises(ValueError, match=r"pip install 'tocsin\[postgresql\]'"):
        open_store("postgresql://host/name")


async def test_a_standby_is_left(postgres_url):
    """After a failover a write is carried out by the server that takes writes, once there is one."""
    store = PostgresStore(postgres_url)
    await store.start()
    store._writing._connection.execute("SET default_transaction_read_only = on")
    epoch = await store.new_epoch()
    await store.changed_elsewhere()

    assert epoch == store.epoch
    await store.stop()


async def test_a_connection_that_ended_in_idleness_leaves_nothing_behind(postgres_url):
    """Whoever writes first is refused, or the write is there once; so is every one after it."""
    store, made = PostgresStore(postgres_url), 0
    ours = "FROM pg_stat_activity WHERE application_name = 'tocsin'"
    await store.start()
    for _ in range(5):
        rows(postgres_url, f"SELECT pg_terminate_backend(pid, 5000) {ours}")
        for _ in range(3):
            try:
                made += len(await store.append_event("/orders", "moved", ["alice"], b"{}"))
            except Overloaded:
                await asyncio.sleep(0.2)
    (head,) = await store.heads([StreamKey(UserId("alice"), "/orders")])

    assert made == head.seq
    await store.stop()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "EUC_KR", "LATIN1"])
async def test_text_is_sent_as_unicode_whatever_the_database_has(databases, encoding):
    """Too small an encoding refuses what it has no place for, and nothing else."""
    name = f"t_{encoding.lower()}"
    databases.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        store = PostgresStore(databases.url_of(name))
        await store.start()
        try:
            draft = NotificationDraft(user_id=UserId("7"), type="t", title="plain", message="m")
            (made,) = await store.create_notifications([draft])
            assert made == await store.get_notification(UserId("7"), made.id)
            wide = store.create_notifications([draft._replace(title="\N{PARTY POPPER}")])
            if encoding == "SQL_ASCII":
                (made,) = await wide
                assert made == await store.get_notification(UserId("7"), made.id)
            else:
                with pytest.raises(Invalid, match=r"encoding of the database.*UTF8"):
                    await wide
        finally:
            await store.stop()
    finally:
        databases.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_what_the_surroundings_say_of_an_encoding_makes_no_difference(url, monkeypatch):
    """Nor what a database's own setting says."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    store = PostgresStore(url)
    await store.start()
    try:
        draft = NotificationDraft(user_id=UserId("7"), type="t", title="\N{PARTY POPPER}", message="m")
        (made,) = await store.create_notifications([draft])
        assert "\N{PARTY POPPER}" == (await store.get_notification(UserId("7"), made.id)).title
    finally:
        await store.stop()
