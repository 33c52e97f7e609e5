"""
Streams, inboxes, chat messages and idempotency keys.

The names had no prefix once: 0002 moves such a database over. They are made
with it, for a host may have a table ``message`` of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "tocsin_life",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_tocsin_life_single_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_life")),
    )
    _create_streams()
    _create_inboxes()
    _create_messages()
    op.create_table(
        "tocsin_idempotency_key",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_tocsin_idempotency_key")),
    )
    op.create_index("ix_tocsin_idempotency_key_created_at", "tocsin_idempotency_key", ["created_at"])


def _create_streams() -> None:
    op.create_table(
        "tocsin_stream",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("pruned", sa.BigInteger(), nullable=False),
        sa.Column("acked", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "namespace", name=op.f("pk_tocsin_stream")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tocsin_stream_event",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "namespace", "seq", name=op.f("pk_tocsin_stream_event")),
    )
    op.create_index("ix_tocsin_stream_event_created_at", "tocsin_stream_event", ["created_at"])


def _create_inboxes() -> None:
    op.create_table(
        "tocsin_notification",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("category", sa.Text()),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("sound", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("read_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_notification")),
    )
    op.create_index("ix_tocsin_notification_inbox", "tocsin_notification", ["user_id", "seq", "expires_at"])
    op.create_index(
        "ix_tocsin_notification_unread",
        "tocsin_notification",
        ["user_id", "read_at", "seq", "category", "seen_at", "expires_at"],
        sqlite_where=sa.text("read_at IS NULL"),
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_expires_at",
        "tocsin_notification",
        ["expires_at"],
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )


def _create_messages() -> None:
    op.create_table(
        "tocsin_message",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("from_user_id", sa.Text(), nullable=False),
        sa.Column("to_user_id", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("client_msg_id", sa.Text()),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_message")),
    )
    op.create_index(
        "ix_tocsin_message_client_msg_id",
        "tocsin_message",
        ["from_user_id", "client_msg_id"],
        unique=True,
        sqlite_where=sa.text("client_msg_id IS NOT NULL"),
        postgresql_where=sa.text("client_msg_id IS NOT NULL"),
    )
