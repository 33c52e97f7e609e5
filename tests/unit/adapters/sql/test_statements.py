"""Statements use the indexes that were made for them."""

import re
import sqlite3

import pytest

from tocsin.adapters.sql.inbox_statements import SQL as INBOX
from tocsin.adapters.sql.migrate import upgrade
from tocsin.adapters.sql.statements import SQL

STATEMENTS = {
    name: text
    for name, text in {
        **vars(SQL),
        **vars(INBOX),
        **{f"list {key}": text for key, text in INBOX.lists.items()},
    }.items()
    if isinstance(text, str)
}
# Look at every stream or group: every ten minutes, and at the start.
UPKEEP = {"long_streams", "find_orphans", "count_uncounted"}


@pytest.fixture(scope="module")
def explain(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("plans") / "t.db")
    upgrade(path)
    connection = sqlite3.connect(path)

    def plan(statement):
        values = dict.fromkeys(re.findall(r":(\w+)", statement)) or [None] * statement.count("?")
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]

    yield plan
    connection.close()


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - UPKEEP))
def test_no_statement_reads_a_whole_table(explain, name):
    """Nothing on the way of a request grows with the number of users."""
    scans = [step for step in explain(STATEMENTS[name]) if step.startswith("SCAN") and step != "SCAN tocsin_life"]

    assert [] == scans


@pytest.mark.parametrize("name", ["count_unread", "count_by_category", "count_total"])
def test_counts_are_read_from_an_index_alone(explain, name):
    """A badge touches no row, whatever the inbox holds."""
    assert "COVERING INDEX" in explain(STATEMENTS[name])[0]


@pytest.mark.parametrize("name", ["count_unread", "set_all_read", "set_all_seen", "list ('inbox', True, False, False)"])
def test_what_asks_for_the_unread_passes_over_the_read(explain, name):
    """Its cost does not grow with what was read long ago."""
    assert "ix_tocsin_notification_open" in explain(STATEMENTS[name])[0]


def test_what_has_expired_is_counted_by_its_time(explain):
    """Of a user with thousands of unread ones, those alone are looked at whose time is up."""
    assert "ix_tocsin_notification_expires_at" in explain(STATEMENTS["count_overdue"])[0]


@pytest.mark.parametrize("place", ["archive", "snoozed"])
def test_other_places_have_an_index_of_their_own(explain, place):
    """To list what is archived passes over what is not."""
    name = {"archive": "archived", "snoozed": "snoozed"}[place]
    assert f"ix_tocsin_notification_{name} " in explain(STATEMENTS[f"list ('{place}', None, False, False)"])[0]


def test_members_of_no_group_are_found_by_the_cards_that_are_left(explain):
    """Each group is looked up, however many notifications there are."""
    assert any("ix_tocsin_notification_group_id" in step for step in explain(STATEMENTS["find_orphans"]))
