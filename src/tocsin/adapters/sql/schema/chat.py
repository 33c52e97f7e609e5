"""Conversations, their messages and end-to-end encryption."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from tocsin.adapters.sql.schema.registry import metadata

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
    # Of what was laid into its inbox last; what comes next sorts behind it.
    Column("last_item_id", Text),
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
