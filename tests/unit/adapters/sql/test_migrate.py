"""Migrations lead to the schema, once, whoever starts them."""

import asyncio
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from tocsin.adapters.sql.migrate import SchemaTooNew, latest, upgrade
from tocsin.adapters.sql.schema import metadata
from tocsin.adapters.sql.sqlite import SqliteStore


def definitions(path):
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    connection.close()
    return {name: " ".join(sql.split()) for name, sql in found if name != "alembic_version"}


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
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()

    with pytest.raises(SchemaTooNew, match="later release"):
        upgrade(path)


def test_a_failed_migration_leaves_the_old_schema(tmp_path):
    """All steps are one transaction: with a table in the way, nothing of them stays."""
    path = tmp_path / "t.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE message (other INTEGER)")
    connection.close()

    with pytest.raises(Exception, match="already exists"):
        upgrade(str(path))
    assert {"message"} == set(definitions(path))
