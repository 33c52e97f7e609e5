"""Add end-to-end encryption

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-27 14:20:11.402317

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "tocsin_e2ee_device",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("device_name", sa.Text()),
        sa.Column("device_keys", sa.LargeBinary(), nullable=False),
        sa.Column("fallback_key_id", sa.Text()),
        sa.Column("fallback_key", sa.LargeBinary()),
        sa.Column("is_fallback_used", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", name=op.f("pk_tocsin_e2ee_device")),
    )
    op.create_table(
        "tocsin_e2ee_one_time_key",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("user_id", "device_id", "key_id", name=op.f("pk_tocsin_e2ee_one_time_key")),
    )
    op.create_index(
        "ix_tocsin_e2ee_one_time_key_free",
        "tocsin_e2ee_one_time_key",
        ["user_id", "device_id", "created_at", "key_id"],
        sqlite_where=sa.text("claimed_at IS NULL"),
        postgresql_where=sa.text("claimed_at IS NULL"),
    )
    op.create_table(
        "tocsin_e2ee_to_device",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("from_user_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_e2ee_to_device")),
    )
    op.create_index("ix_tocsin_e2ee_to_device_inbox", "tocsin_e2ee_to_device", ["user_id", "device_id", "id"])


def downgrade():
    op.drop_index("ix_tocsin_e2ee_to_device_inbox", table_name="tocsin_e2ee_to_device")
    op.drop_table("tocsin_e2ee_to_device")
    op.drop_index("ix_tocsin_e2ee_one_time_key_free", table_name="tocsin_e2ee_one_time_key")
    op.drop_table("tocsin_e2ee_one_time_key")
    op.drop_table("tocsin_e2ee_device")
