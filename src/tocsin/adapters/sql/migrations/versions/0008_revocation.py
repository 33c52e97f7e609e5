"""Tokens that count no more."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add a table; nothing is revoked yet."""
    op.create_table(
        "tocsin_revocation",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_tocsin_revocation")),
    )
    op.create_index("ix_tocsin_revocation_created_at", "tocsin_revocation", ["created_at"])
    op.create_index("ix_tocsin_revocation_expires_at", "tocsin_revocation", ["expires_at"])
