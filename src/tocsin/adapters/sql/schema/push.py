"""Devices, topics, and the ladder of pushes."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text

from tocsin.adapters.sql.schema.registry import metadata

# An address for push. A token belongs to the user who registered it last.
device = Table(
    "tocsin_device",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("device_name", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
)
Index("ix_tocsin_device_token", device.c.kind, device.c.token, unique=True)
Index("ix_tocsin_device_user_id", device.c.user_id)

topic_subscription = Table(
    "tocsin_topic_subscription",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_tocsin_topic_subscription_topic", topic_subscription.c.topic)

# A browser that takes pushes. Its endpoint belongs to the user who subscribed last.
web_push_subscription = Table(
    "tocsin_web_push_subscription",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", Text, nullable=False),
    Column("auth", Text, nullable=False),
    Column("user_agent", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
)
Index("ix_tocsin_web_push_subscription_endpoint", web_push_subscription.c.endpoint, unique=True)
Index("ix_tocsin_web_push_subscription_user_id", web_push_subscription.c.user_id)

# What this installation pushes with: one row, made at first use, shared by all
# nodes. Browsers subscribe to this very key: another one would part with them all.
vapid_key = Table(
    "tocsin_vapid_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("private_pem", Text, nullable=False),
    Column("receipt_key", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)

# The push ladder of one notification: what is to be done next, and when. Written in the
# transaction that creates the notification; gone once nothing is left to send or take back.
delivery = Table(
    "tocsin_delivery",
    metadata,
    Column("notification_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("category", Text),
    Column("priority", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("rung", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    # Who works at it holds it until then; a holder that died lets it go by time.
    Column("leased_until", BigInteger, nullable=False),
    # Counts the holders: one that comes back late may not write over the next.
    Column("lease", BigInteger, nullable=False),
    # Why no rung is climbed any more; what was sent is then taken back.
    Column("ended", Text),
)
Index("ix_tocsin_delivery_due_at", delivery.c.due_at)
Index("ix_tocsin_delivery_user_id_seq", delivery.c.user_id, delivery.c.seq)

# What was tried for a notification on one channel, one row each: its trace.
delivery_attempt = Table(
    "tocsin_delivery_attempt",
    metadata,
    Column("id", Text, primary_key=True),
    Column("notification_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("target", Text),
    Column("label", Text),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("provider_id", Text),
    # Its target is not tried again before.
    Column("retry_at", BigInteger),
)
Index("ix_tocsin_delivery_attempt_notification_id_at", delivery_attempt.c.notification_id, delivery_attempt.c.at)
Index("ix_tocsin_delivery_attempt_at", delivery_attempt.c.at)

# Where else a notification may go: the URL of a user, or of everything in a category.
channel = Table(
    "tocsin_channel",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text),
    Column("category", Text),
    Column("url", Text, nullable=False),
    Column("name", Text),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("user_id IS NOT NULL OR category IS NOT NULL", name="has_owner"),
)
Index("ix_tocsin_channel_user_id", channel.c.user_id)
Index("ix_tocsin_channel_category", channel.c.category)
