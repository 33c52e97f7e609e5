"""Web Push: subscriptions of browsers, and the keys that are pushed with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two tables; what is stored stays as it is."""
    op.create_table(
        "tocsin_web_push_subscription",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.Text(), nullable=False),
        sa.Column("auth", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_web_push_subscription")),
    )
    op.create_index(
        "ix_tocsin_web_push_subscription_endpoint", "tocsin_web_push_subscription", ["endpoint"], unique=True
    )
    op.create_index("ix_tocsin_web_push_subscription_user_id", "tocsin_web_push_subscription", ["user_id"])
    op.create_table(
        "tocsin_vapid_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("private_pem", sa.Text(), nullable=False),
        sa.Column("receipt_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_tocsin_vapid_key_single_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_vapid_key")),
    )
