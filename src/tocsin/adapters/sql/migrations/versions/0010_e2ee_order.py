"""The id of what was laid last into the inbox of a device that encrypts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add a column; what waits already has its order."""
    op.add_column("tocsin_e2ee_device", sa.Column("last_item_id", sa.Text()))
