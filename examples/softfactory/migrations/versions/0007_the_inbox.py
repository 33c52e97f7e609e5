"""Add archive, snooze, grouping, claims, digests, schedules and templates

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-27 17:40:02.118240

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
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
    op.create_index(
        "ix_tocsin_notification_listed",
        "tocsin_notification",
        ["user_id", "seq", "archived_at", "snoozed_until", "expires_at"],
        sqlite_where=sa.text("archived_at IS NULL AND snoozed_until IS NULL"),
        postgresql_where=sa.text("archived_at IS NULL AND snoozed_until IS NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_open",
        "tocsin_notification",
        ["user_id", "seq", "read_at", "archived_at", "snoozed_until", "category", "seen_at", "expires_at"],
        sqlite_where=sa.text("read_at IS NULL AND archived_at IS NULL AND snoozed_until IS NULL"),
        postgresql_where=sa.text("read_at IS NULL AND archived_at IS NULL AND snoozed_until IS NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_archived",
        "tocsin_notification",
        ["user_id", "seq"],
        sqlite_where=sa.text("archived_at IS NOT NULL"),
        postgresql_where=sa.text("archived_at IS NOT NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_snoozed",
        "tocsin_notification",
        ["user_id", "seq"],
        sqlite_where=sa.text("snoozed_until IS NOT NULL"),
        postgresql_where=sa.text("snoozed_until IS NOT NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_snoozed_until",
        "tocsin_notification",
        ["snoozed_until"],
        sqlite_where=sa.text("snoozed_until IS NOT NULL"),
        postgresql_where=sa.text("snoozed_until IS NOT NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_collapse_key",
        "tocsin_notification",
        ["user_id", "collapse_key"],
        sqlite_where=sa.text("collapse_key IS NOT NULL"),
        postgresql_where=sa.text("collapse_key IS NOT NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_group_key",
        "tocsin_notification",
        ["user_id", "group_key"],
        sqlite_where=sa.text("group_key IS NOT NULL"),
        postgresql_where=sa.text("group_key IS NOT NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_group_id",
        "tocsin_notification",
        ["group_id"],
        sqlite_where=sa.text("group_id IS NOT NULL"),
        postgresql_where=sa.text("group_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_claim_id",
        "tocsin_notification",
        ["claim_id"],
        sqlite_where=sa.text("claim_id IS NOT NULL"),
        postgresql_where=sa.text("claim_id IS NOT NULL"),
    )
    op.create_index(
        "ix_tocsin_notification_digest_id",
        "tocsin_notification",
        ["digest_id"],
        sqlite_where=sa.text("digest_id IS NOT NULL"),
        postgresql_where=sa.text("digest_id IS NOT NULL"),
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


def downgrade():
    op.drop_table("tocsin_template")
    op.drop_table("tocsin_scheduled")
    op.drop_table("tocsin_group_member")
    op.drop_index("ix_tocsin_notification_listed", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_open", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_archived", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_snoozed", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_snoozed_until", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_collapse_key", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_group_key", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_group_id", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_claim_id", "tocsin_notification")
    op.drop_index("ix_tocsin_notification_digest_id", "tocsin_notification")
    op.create_index("ix_tocsin_notification_inbox", "tocsin_notification", ["user_id", "seq", "expires_at"])
    op.create_index(
        "ix_tocsin_notification_unread",
        "tocsin_notification",
        ["user_id", "read_at", "seq", "category", "seen_at", "expires_at"],
        sqlite_where=sa.text("read_at IS NULL"),
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.drop_column("tocsin_fan_out", "user_ids")
    op.drop_column("tocsin_stream", "unread")
    op.drop_column("tocsin_notification", "digest_count")
    op.drop_column("tocsin_notification", "digest_id")
    op.drop_column("tocsin_notification", "claimed_at")
    op.drop_column("tocsin_notification", "claimed_by")
    op.drop_column("tocsin_notification", "claim_id")
    op.drop_column("tocsin_notification", "group_actors")
    op.drop_column("tocsin_notification", "group_count")
    op.drop_column("tocsin_notification", "group_id")
    op.drop_column("tocsin_notification", "group_key")
    op.drop_column("tocsin_notification", "collapse_key")
    op.drop_column("tocsin_notification", "updated_at")
    op.drop_column("tocsin_notification", "snoozed_until")
    op.drop_column("tocsin_notification", "archived_at")
