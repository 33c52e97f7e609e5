"""The inbox."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from tocsin.adapters.sql.schema.base import metadata

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
)
# The list of an inbox, and its total without touching the rows.
Index(
    "ix_tocsin_notification_inbox",
    notification.c.user_id,
    notification.c.seq,
    notification.c.expires_at,
)
# Badge, stats, the unread list and read-all: small, for it holds the unread only.
# read_at stands in it, always NULL, or SQLite would not see that it covers a count.
Index(
    "ix_tocsin_notification_unread",
    notification.c.user_id,
    notification.c.read_at,
    notification.c.seq,
    notification.c.category,
    notification.c.seen_at,
    notification.c.expires_at,
    sqlite_where=notification.c.read_at.is_(None),
    postgresql_where=notification.c.read_at.is_(None),
)
Index(
    "ix_tocsin_notification_expires_at",
    notification.c.expires_at,
    sqlite_where=notification.c.expires_at.is_not(None),
    postgresql_where=notification.c.expires_at.is_not(None),
)

# How a user wants to be reached: one JSON object.
preference = Table(
    "tocsin_preference",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# One notification to all who follow a topic, made in parts; ``last_user_id`` is where it stands.
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
)
Index("ix_tocsin_fan_out_state", fan_out.c.state)
