"""Chat: receipts, edits and deletions, attachments, conversations, blocks, when a user was last seen."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_CONVERSATIONS = """
INSERT INTO tocsin_conversation (user_id, peer_id, last_message_id)
SELECT user_id, peer_id, max(id) FROM (
  SELECT from_user_id AS user_id, to_user_id AS peer_id, id FROM tocsin_message
  UNION ALL SELECT to_user_id, from_user_id, id FROM tocsin_message
) AS sides GROUP BY user_id, peer_id
"""


def upgrade() -> None:
    """Add columns, indexes and two tables; conversations are made of the messages there are."""
    for name in ("delivered_at", "edited_at", "deleted_at"):
        op.add_column("tocsin_message", sa.Column(name, sa.BigInteger()))
    for name in ("attachments", "ciphertext"):
        op.add_column("tocsin_message", sa.Column(name, sa.LargeBinary()))
    # Nobody was told of it: what is old enough is taken for delivered.
    op.execute("UPDATE tocsin_message SET delivered_at = coalesce(read_at, created_at)")
    op.create_index("ix_tocsin_message_history", "tocsin_message", ["from_user_id", "to_user_id", "id"])
    op.create_index(
        "ix_tocsin_message_unread",
        "tocsin_message",
        ["to_user_id", "from_user_id"],
        sqlite_where=sa.text("read_at IS NULL"),
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(
        "ix_tocsin_message_undelivered",
        "tocsin_message",
        ["to_user_id", "seq"],
        sqlite_where=sa.text("delivered_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "tocsin_conversation",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("peer_id", sa.Text(), nullable=False),
        sa.Column("last_message_id", sa.Text()),
        sa.Column("blocked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("user_id", "peer_id", name=op.f("pk_tocsin_conversation")),
    )
    op.create_index("ix_tocsin_conversation_latest", "tocsin_conversation", ["user_id", "last_message_id"])
    op.execute(_CONVERSATIONS)
    op.create_table(
        "tocsin_last_seen",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_tocsin_last_seen")),
    )
