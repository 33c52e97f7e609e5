"""The streams, and what makes a write happen once."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text

from tocsin.adapters.sql.schema.registry import metadata

# The life of the streams: one row, whose epoch is part of every cursor.
life = Table(
    "tocsin_life",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", Text, nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)

# One row a stream. The counter is raised in the transaction that appends the
# event: the lock on this row is what makes commit order and seq order one.
stream = Table(
    "tocsin_stream",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("pruned", BigInteger, nullable=False),
    Column("acked", BigInteger, nullable=False),
    # Of ``/notifications``: how many of the inbox are unread, moved by every event that changes it.
    # NULL: not counted yet, where a host's migration has added the column.
    Column("unread", BigInteger),
    sqlite_with_rowid=False,
)

stream_event = Table(
    "tocsin_stream_event",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_tocsin_stream_event_created_at", stream_event.c.created_at)

idempotency_key = Table(
    "tocsin_idempotency_key",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_tocsin_idempotency_key_created_at", idempotency_key.c.created_at)
