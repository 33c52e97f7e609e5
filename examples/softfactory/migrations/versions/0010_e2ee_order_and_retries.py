"""Add the order of encrypted mail and when a push may be tried again

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-28 18:20:18.204117

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("tocsin_e2ee_device", sa.Column("last_item_id", sa.Text()))
    op.add_column("tocsin_delivery_attempt", sa.Column("retry_at", sa.BigInteger()))


def downgrade():
    op.drop_column("tocsin_delivery_attempt", "retry_at")
    op.drop_column("tocsin_e2ee_device", "last_item_id")
