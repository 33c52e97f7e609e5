"""
The tables, defined once for every database.

Migrations bring a database here (a test compares the two); statements are
compiled from here. No statement and no connection lives in this module.
They may stand in a host's database, among its own: names begin with tocsin_.

Instants are milliseconds since 1970. JSON is stored as the bytes that go over
the wire, so that an event is encoded once in its life.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# The life of the streams: one row, whose epoch is part of every cursor.
life = Table(
    "tocsin_life",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("epoch", Text, nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)

# One row a stream. The counter is raised in the transaction that appends the
# event: the lock on this row is what makes commit order and seq order one.
stream = Table(
    "tocsin_stream",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("pruned", BigInteger, nullable=False),
    Column("acked", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

stream_event = Table(
    "tocsin_stream_event",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_tocsin_stream_event_created_at", stream_event.c.created_at)

notification = Table(
    "tocsin_notification",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("category", Text),
    Column("priority", Text, nullable=False),
    Column("sound", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),
    Column("read_at", BigInteger),
    Column("expires_at", BigInteger),
)
# The list of an inbox, and its total without touching the rows.
Index(
    "ix_tocsin_notification_inbox",
    notification.c.user_id,
    notification.c.seq,
    notification.c.expires_at,
)
# Badge, stats, the unread list and read-all: small, for it holds the unread only.
# read_at stands in it, always NULL, or SQLite would not see that it covers a count.
Index(
    "ix_tocsin_notification_unread",
    notification.c.user_id,
    notification.c.read_at,
    notification.c.seq,
    notification.c.category,
    notification.c.seen_at,
    notification.c.expires_at,
    sqlite_where=notification.c.read_at.is_(None),
    postgresql_where=notification.c.read_at.is_(None),
)
Index(
    "ix_tocsin_notification_expires_at",
    notification.c.expires_at,
    sqlite_where=notification.c.expires_at.is_not(None),
    postgresql_where=notification.c.expires_at.is_not(None),
)

message = Table(
    "tocsin_message",
    metadata,
    Column("id", Text, primary_key=True),
    Column("from_user_id", Text, nullable=False),
    Column("to_user_id", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("client_msg_id", Text),
    Column("seq", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("read_at", BigInteger),
    # Set on a message that a host's session saved: till then a broadcast of the
    # same text is this message and no second one. NULL once it was claimed.
    Column("claimable_until", BigInteger),
    Column("delivered_at", BigInteger),
    Column("edited_at", BigInteger),
    Column("deleted_at", BigInteger),
    # JSON, as bytes; NULL where there is none.
    Column("attachments", LargeBinary),
    Column("ciphertext", LargeBinary),
)
# A conversation is read from both ends, in the order of its ids.
Index("ix_tocsin_message_history", message.c.from_user_id, message.c.to_user_id, message.c.id)
Index(
    "ix_tocsin_message_unread",
    message.c.to_user_id,
    message.c.from_user_id,
    sqlite_where=message.c.read_at.is_(None),
    postgresql_where=message.c.read_at.is_(None),
)
Index(
    "ix_tocsin_message_undelivered",
    message.c.to_user_id,
    message.c.seq,
    sqlite_where=message.c.delivered_at.is_(None),
    postgresql_where=message.c.delivered_at.is_(None),
)
Index(
    "ix_tocsin_message_claimable",
    message.c.from_user_id,
    message.c.to_user_id,
    message.c.claimable_until,
    sqlite_where=message.c.claimable_until.is_not(None),
    postgresql_where=message.c.claimable_until.is_not(None),
)
Index(
    "ix_tocsin_message_client_msg_id",
    message.c.from_user_id,
    message.c.client_msg_id,
    unique=True,
    sqlite_where=message.c.client_msg_id.is_not(None),
    postgresql_where=message.c.client_msg_id.is_not(None),
)

# A conversation as one of its two users has it; blocked before the first message it has none.
conversation = Table(
    "tocsin_conversation",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("peer_id", Text, primary_key=True),
    Column("last_message_id", Text),
    Column("blocked_at", BigInteger),
)
Index("ix_tocsin_conversation_latest", conversation.c.user_id, conversation.c.last_message_id)

# When a user who is not connected was connected last.
last_seen = Table(
    "tocsin_last_seen",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
)

idempotency_key = Table(
    "tocsin_idempotency_key",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("result", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_tocsin_idempotency_key_created_at", idempotency_key.c.created_at)

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

# How a user wants to be reached: one JSON object.
preference = Table(
    "tocsin_preference",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

# One notification to all who follow a topic, made in parts; ``last_user_id`` is where it stands.
fan_out = Table(
    "tocsin_fan_out",
    metadata,
    Column("id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("draft", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("last_user_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
)
Index("ix_tocsin_fan_out_state", fan_out.c.state)

# A device that encrypts end to end: its public keys, and the one that is handed out when no other is left.
e2ee_device = Table(
    "tocsin_e2ee_device",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("device_name", Text),
    Column("device_keys", LargeBinary, nullable=False),
    Column("fallback_key_id", Text),
    Column("fallback_key", LargeBinary),
    Column("is_fallback_used", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
# One that was claimed stays, marked: uploaded once more, it must not go out twice.
e2ee_one_time_key = Table(
    "tocsin_e2ee_one_time_key",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("claimed_at", BigInteger),
)
_free = e2ee_one_time_key.c.claimed_at.is_(None)
_key = e2ee_one_time_key.c
Index(
    "ix_tocsin_e2ee_one_time_key_free",
    *(_key.user_id, _key.device_id, _key.created_at, _key.key_id),
    sqlite_where=_free,
    postgresql_where=_free,
)
# What devices have sealed for one another, until it is taken.
e2ee_to_device = Table(
    "tocsin_e2ee_to_device",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("from_user_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
Index("ix_tocsin_e2ee_to_device_inbox", e2ee_to_device.c.user_id, e2ee_to_device.c.device_id, e2ee_to_device.c.id)

# Alembic's, as it makes it. Here so that a host's autogenerate keeps it; it has
# a row where the migrations of tocsin are at work, none where the host's are.
VERSION_TABLE = "tocsin_version"
version = Table(
    VERSION_TABLE,
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="tocsin_version_pkc"),
)
