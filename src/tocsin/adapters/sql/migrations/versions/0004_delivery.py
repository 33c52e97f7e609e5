"""The push ladder: what is still to be sent, what was tried, other channels, preferences, topics in parts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add five tables; what is stored stays as it is, and climbs no ladder."""
    op.create_table(
        "tocsin_delivery",
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.Text()),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Text()),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_tocsin_delivery")),
    )
    op.create_index("ix_tocsin_delivery_due_at", "tocsin_delivery", ["due_at"])
    op.create_index("ix_tocsin_delivery_user_id_seq", "tocsin_delivery", ["user_id", "seq"])
    op.create_table(
        "tocsin_delivery_attempt",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("target", sa.Text()),
        sa.Column("label", sa.Text()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_delivery_attempt")),
    )
    op.create_index(
        "ix_tocsin_delivery_attempt_notification_id_at", "tocsin_delivery_attempt", ["notification_id", "at"]
    )
    op.create_index("ix_tocsin_delivery_attempt_at", "tocsin_delivery_attempt", ["at"])
    op.create_table(
        "tocsin_channel",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("user_id IS NOT NULL OR category IS NOT NULL", name=op.f("ck_tocsin_channel_has_owner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_channel")),
    )
    op.create_index("ix_tocsin_channel_user_id", "tocsin_channel", ["user_id"])
    op.create_index("ix_tocsin_channel_category", "tocsin_channel", ["category"])
    op.create_table(
        "tocsin_preference",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_tocsin_preference")),
    )
    op.create_table(
        "tocsin_fan_out",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("draft", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("last_user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_fan_out")),
    )
    op.create_index("ix_tocsin_fan_out_state", "tocsin_fan_out", ["state"])
