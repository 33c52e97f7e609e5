"""When a target of a push may be tried again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add a column; what is tried again already goes by the instant of its ladder."""
    op.add_column("tocsin_delivery_attempt", sa.Column("retry_at", sa.BigInteger()))
