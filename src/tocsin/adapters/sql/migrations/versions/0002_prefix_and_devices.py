"""Tables under a prefix, messages that a broadcast can claim, devices and topics for push."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_PREFIX = "tocsin_"
_TABLES = ("life", "stream", "stream_event", "notification", "message", "idempotency_key")
_UNREAD = ["user_id", "read_at", "seq", "category", "seen_at", "expires_at"]
_INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("stream_event_created_at", "stream_event", ["created_at"], None),
    ("notification_inbox", "notification", ["user_id", "seq", "expires_at"], None),
    ("notification_unread", "notification", _UNREAD, "read_at IS NULL"),
    ("notification_expires_at", "notification", ["expires_at"], "expires_at IS NOT NULL"),
    ("message_client_msg_id", "message", ["from_user_id", "client_msg_id"], "client_msg_id IS NOT NULL"),
    ("idempotency_key_created_at", "idempotency_key", ["created_at"], None),
)


def upgrade() -> None:
    """Move tables without the prefix over with what they hold, then add what is new."""
    tables = sa.inspect(op.get_bind()).get_table_names()
    if f"{_PREFIX}life" not in tables:
        _move_over()
    op.add_column("tocsin_message", sa.Column("claimable_until", sa.BigInteger()))
    op.create_index(
        "ix_tocsin_message_claimable",
        "tocsin_message",
        ["from_user_id", "to_user_id", "claimable_until"],
        sqlite_where=sa.text("claimable_until IS NOT NULL"),
        postgresql_where=sa.text("claimable_until IS NOT NULL"),
    )
    op.create_table(
        "tocsin_device",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("device_name", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_device")),
    )
    op.create_index("ix_tocsin_device_token", "tocsin_device", ["kind", "token"], unique=True)
    op.create_index("ix_tocsin_device_user_id", "tocsin_device", ["user_id"])
    op.create_table(
        "tocsin_topic_subscription",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "topic", name=op.f("pk_tocsin_topic_subscription")),
    )
    op.create_index("ix_tocsin_topic_subscription_topic", "tocsin_topic_subscription", ["topic"])


def _move_over() -> None:
    for table in _TABLES:
        op.rename_table(table, f"{_PREFIX}{table}")
    # An index keeps its name when its table is renamed, and can't be renamed itself.
    for index, table, columns, where in _INDEXES:
        op.drop_index(f"ix_{index}")
        op.create_index(
            f"ix_{_PREFIX}{index}",
            f"{_PREFIX}{table}",
            columns,
            unique=index == "message_client_msg_id",
            sqlite_where=None if where is None else sa.text(where),
        )
