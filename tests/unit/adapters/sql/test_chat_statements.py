"""Statements of chat use the indexes that were made for them."""

import re
import sqlite3

import pytest

from tocsin.adapters.sql.chat_statements import SQL
from tocsin.adapters.sql.migrate import upgrade

STATEMENTS = {name: text for name, text in vars(SQL).items() if isinstance(text, str)}


@pytest.fixture(scope="module")
def explain(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("plans") / "t.db")
    upgrade(path)
    connection = sqlite3.connect(path)

    def plan(name):
        values = dict.fromkeys(re.findall(r":(\w+)", STATEMENTS[name]))
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {STATEMENTS[name]}", values)]

    yield plan
    connection.close()


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_reads_a_whole_table(explain, name):
    """Nothing on the way of a request grows with the number of users."""
    scans = [step for step in explain(name) if re.match(r"SCAN (?!\(subquery|side|anon)", step)]

    assert [] == scans


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("set_read_up_to", "ix_tocsin_message_unread"),
        ("set_delivered_up_to", "ix_tocsin_message_undelivered"),
        ("undelivered", "ix_tocsin_message_undelivered"),
        ("count_unread", "ix_tocsin_message_unread"),
        ("claim_message", "ix_tocsin_message_claimable"),
        ("sent_message", "ix_tocsin_message_client_msg_id"),
    ],
)
def test_what_has_no_receipt_yet_is_found_by_its_index(explain, name, index):
    """And not by walking over a history that was read long ago."""
    assert any(f"USING INDEX {index}" in step or f"USING COVERING INDEX {index}" in step for step in explain(name))
    assert not any("ix_tocsin_message_history" in step for step in explain(name))
