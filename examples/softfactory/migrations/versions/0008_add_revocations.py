"""Add tokens that count no more

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-28 00:31:47.204416

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade():
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


def downgrade():
    op.drop_index("ix_tocsin_revocation_expires_at", table_name="tocsin_revocation")
    op.drop_index("ix_tocsin_revocation_created_at", table_name="tocsin_revocation")
    op.drop_table("tocsin_revocation")
