"""The inbox people want: archive, snooze, grouping, claims, digests, schedules, templates, a counted badge."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_INDEXES = (
    (
        "listed",
        ["user_id", "seq", "archived_at", "snoozed_until", "expires_at"],
        "archived_at IS NULL AND snoozed_until IS NULL",
    ),
    (
        "open",
        ["user_id", "seq", "read_at", "archived_at", "snoozed_until", "category", "seen_at", "expires_at"],
        "read_at IS NULL AND archived_at IS NULL AND snoozed_until IS NULL",
    ),
    ("archived", ["user_id", "seq"], "archived_at IS NOT NULL"),
    ("snoozed", ["user_id", "seq"], "snoozed_until IS NOT NULL"),
    ("snoozed_until", ["snoozed_until"], "snoozed_until IS NOT NULL"),
    ("collapse_key", ["user_id", "collapse_key"], "collapse_key IS NOT NULL"),
    ("group_key", ["user_id", "group_key"], "group_key IS NOT NULL"),
    ("group_id", ["group_id"], "group_id IS NOT NULL"),
    ("claim_id", ["claim_id"], "claim_id IS NOT NULL"),
    ("digest_id", ["digest_id"], "digest_id IS NOT NULL"),
)
_COUNT = """
UPDATE tocsin_stream SET unread = (
  SELECT count(*) FROM tocsin_notification AS one WHERE one.user_id = tocsin_stream.user_id AND one.read_at IS NULL
) WHERE namespace = '/notifications'
"""


def upgrade() -> None:
    """Add columns and three tables, and count the unread; the indexes of lists leave out what they do not show."""
    op.add_column("tocsin_notification", sa.Column("archived_at", sa.BigInteger()))
    op.add_column("tocsin_notification", sa.Column("snoozed_until", sa.BigInteger()))
    op.add_column("tocsin_notification", sa.Column("updated_at", sa.BigInteger()))
    op.add_column("tocsin_notification", sa.Column("collapse_key", sa.Text()))
    op.add_column("tocsin_notification", sa.Column("group_key", sa.Text()))
    op.add_column("tocsin_notification", sa.Column("group_id", sa.Text()))
    op.add_column("tocsin_notification", sa.Column("group_count", sa.Integer()))
    op.add_column("tocsin_notification", sa.Column("group_actors", sa.LargeBinary()))
    op.add_column("tocsin_notification", sa.Column("claim_id", sa.Text()))
    op.add_column("tocsin_notification", sa.Column("claimed_by", sa.Text()))
    op.add_column("tocsin_notification", sa.Column("claimed_at", sa.BigInteger()))
    op.add_column("tocsin_notification", sa.Column("digest_id", sa.Text()))
    op.add_column("tocsin_notification", sa.Column("digest_count", sa.Integer()))
    op.add_column("tocsin_stream", sa.Column("unread", sa.BigInteger()))
    op.add_column("tocsin_fan_out", sa.Column("user_ids", sa.LargeBinary()))
    op.drop_index("ix_tocsin_notification_inbox", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_unread", "tocsin_notification")
    for name, columns, where in _INDEXES:
        condition = sa.text(where)
        op.create_index(
            f"ix_tocsin_notification_{name}",
            "tocsin_notification",
            columns,
            sqlite_where=condition,
            postgresql_where=condition,
        )
    op.create_table(
        "tocsin_group_member",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "actor_id", name=op.f("pk_tocsin_group_member")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tocsin_scheduled",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text()),
        sa.Column("topic", sa.Text()),
        sa.Column("draft", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tocsin_scheduled")),
    )
    op.create_index("ix_tocsin_scheduled_due_at", "tocsin_scheduled", ["due_at"])
    op.create_table(
        "tocsin_template",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "locale", name=op.f("pk_tocsin_template")),
    )
    op.execute(_COUNT)
    _reword_preferences()


def _reword_preferences() -> None:
    """Say what is muted as a switch of its category, as everything is said there now."""
    connection = op.get_bind()
    table = sa.table("tocsin_preference", sa.column("user_id"), sa.column("body"))
    for user_id, body in connection.execute(sa.select(table.c.user_id, table.c.body)).all():
        said = json.loads(body)
        muted = said.pop("muted", None) or {}
        said["categories"] = {category: dict.fromkeys(channels, False) for category, channels in muted.items()}
        changed = sa.update(table).where(table.c.user_id == user_id).values(body=json.dumps(said).encode())
        connection.execute(changed)
