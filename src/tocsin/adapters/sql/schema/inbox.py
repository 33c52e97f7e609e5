"""The inbox."""

from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Index, Integer, LargeBinary, Table, Text, and_

from tocsin.adapters.sql.schema.registry import metadata

notification = Table(
    "tocsin_notification",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("category", Text),
    Column("priority", Text, nullable=False),
    Column("sound", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),
    Column("read_at", BigInteger),
    Column("expires_at", BigInteger),
    # Out of the list and the badge; NULL: in both.
    Column("archived_at", BigInteger),
    # The same until then; it comes back when the event of that is committed.
    Column("snoozed_until", BigInteger),
    Column("updated_at", BigInteger),
    # The next of the same key takes its place.
    Column("collapse_key", Text),
    # A card for many: whoever did the same joins it. The id names the actors that are counted.
    Column("group_key", Text),
    Column("group_id", Text),
    Column("group_count", Integer),
    Column("group_actors", LargeBinary),
    # Sent to many, for one of them to take.
    Column("claim_id", Text),
    Column("claimed_by", Text),
    Column("claimed_at", BigInteger),
    # The card of a digest that stands for it; of the card itself: for how many it stands.
    Column("digest_id", Text),
    Column("digest_count", Integer),
)
_is_listed = and_(notification.c.archived_at.is_(None), notification.c.snoozed_until.is_(None))
_is_unread = and_(notification.c.read_at.is_(None), _is_listed)


def _partial(name: str, where: ColumnElement[bool], *columns: Column[Any]) -> None:
    Index(f"ix_tocsin_notification_{name}", *columns, sqlite_where=where, postgresql_where=where)


_n = notification.c
# The list of an inbox, and its total without touching the rows. What is always NULL stands in it, or
# SQLite would not see that it covers a count, and behind the seq, or PostgreSQL would sort the whole inbox.
_partial("listed", _is_listed, _n.user_id, _n.seq, _n.archived_at, _n.snoozed_until, _n.expires_at)
# Stats, the unread list and read-all: small, for it holds the unread only.
_partial(
    "open",
    _is_unread,
    _n.user_id,
    _n.seq,
    _n.read_at,
    _n.archived_at,
    _n.snoozed_until,
    _n.category,
    _n.seen_at,
    _n.expires_at,
)
_partial("archived", _n.archived_at.is_not(None), _n.user_id, _n.seq)
_partial("snoozed", _n.snoozed_until.is_not(None), _n.user_id, _n.seq)
# What a clock changes.
_partial("snoozed_until", _n.snoozed_until.is_not(None), _n.snoozed_until)
_partial("expires_at", _n.expires_at.is_not(None), _n.expires_at)
# What a new one meets.
_partial("collapse_key", _n.collapse_key.is_not(None), _n.user_id, _n.collapse_key)
_partial("group_key", _n.group_key.is_not(None), _n.user_id, _n.group_key)
_partial("group_id", _n.group_id.is_not(None), _n.group_id)
_partial("claim_id", _n.claim_id.is_not(None), _n.claim_id)
_partial("digest_id", _n.digest_id.is_not(None), _n.digest_id)

# Who is counted in a grouped card: each once, however often.
group_member = Table(
    "tocsin_group_member",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("actor_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)

# What is to be delivered at a later time: to a user, or to whoever follows the topic then.
scheduled = Table(
    "tocsin_scheduled",
    metadata,
    Column("id", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False),
    Column("user_id", Text),
    Column("topic", Text),
    Column("draft", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_tocsin_scheduled_due_at", scheduled.c.due_at)

# The words of notifications, by name and language.
template = Table(
    "tocsin_template",
    metadata,
    Column("name", Text, primary_key=True),
    Column("locale", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# How a user wants to be reached: one JSON object.
preference = Table(
    "tocsin_preference",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# One notification to all who follow a topic, or to a long list, made in parts; ``last_user_id`` is where it stands.
fan_out = Table(
    "tocsin_fan_out",
    metadata,
    Column("id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("draft", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("last_user_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    # Of a list instead: its users in ascending order, JSON, as bytes; the topic is empty.
    Column("user_ids", LargeBinary),
)
Index("ix_tocsin_fan_out_state", fan_out.c.state)
