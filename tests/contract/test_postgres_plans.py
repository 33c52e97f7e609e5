"""How PostgreSQL reads what users wait for, with an inbox that is full."""

import psycopg
import pytest

from tests.postgres import Databases
from tocsin.adapters.sql import upgrade_schema
from tocsin.adapters.sql.dialects import for_postgres
from tocsin.adapters.sql.inbox_statements import SQL

FILL = """
INSERT INTO tocsin_notification (id, user_id, seq, type, title, message, data, category, priority, created_at, read_at)
SELECT n::text, 'u' || n % 20, n / 20, 'order', '', '', '', 'orders', 'normal', n, CASE WHEN n % 40 < 20 THEN n END
FROM generate_series(0, 19999) AS n
"""
VALUES = {"user_id": "u7", "now": 0, "before": 1 << 62, "limit": 21, "category": "orders", "type": "order"}


@pytest.fixture(scope="module")
def full(databases: Databases):
    with databases.database() as url:
        upgrade_schema(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL)
            connection.execute("VACUUM ANALYZE tocsin_notification")
            yield connection


def plan(connection, statement, values):
    return [row[0] for row in connection.execute(f"EXPLAIN {for_postgres(statement)}", values)]


@pytest.mark.parametrize("conditions", [wanted for wanted in SQL.lists if wanted[0] == "inbox"], ids=str)
def test_a_page_is_read_in_the_order_of_its_index(full, conditions):
    """A page of 20 costs the same in an inbox of a thousand as in one of twenty: nothing is sorted."""
    steps = plan(full, SQL.lists[conditions], VALUES)

    assert not [step for step in steps if "Sort" in step or "Seq Scan" in step]


def test_a_total_is_read_from_an_index_alone(full):
    """No row is touched."""
    assert [step for step in plan(full, SQL.count_total, VALUES) if "Index Only Scan" in step]
