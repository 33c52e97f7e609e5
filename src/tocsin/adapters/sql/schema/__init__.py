"""
The tables, defined once for every database.

Migrations bring a database here (a test compares the two); statements are
compiled from here. No statement and no connection lives in this package.
They may stand in a host's database, among its own: names begin with tocsin_.

Instants are milliseconds since 1970. JSON is stored as the bytes that go over
the wire, so that an event is encoded once in its life.
"""

from tocsin.adapters.sql.schema.chat import (
    conversation,
    e2ee_device,
    e2ee_one_time_key,
    e2ee_to_device,
    last_seen,
    message,
)
from tocsin.adapters.sql.schema.erasure import erasure
from tocsin.adapters.sql.schema.inbox import fan_out, group_member, notification, preference, scheduled, template
from tocsin.adapters.sql.schema.push import (
    channel,
    delivery,
    delivery_attempt,
    device,
    topic_subscription,
    vapid_key,
    web_push_subscription,
)
from tocsin.adapters.sql.schema.registry import VERSION_TABLE, metadata, version
from tocsin.adapters.sql.schema.streams import idempotency_key, life, stream, stream_event
from tocsin.adapters.sql.schema.trust import revocation

__all__ = [
    "VERSION_TABLE",
    "channel",
    "conversation",
    "delivery",
    "delivery_attempt",
    "device",
    "e2ee_device",
    "e2ee_one_time_key",
    "e2ee_to_device",
    "erasure",
    "fan_out",
    "group_member",
    "idempotency_key",
    "last_seen",
    "life",
    "message",
    "metadata",
    "notification",
    "preference",
    "revocation",
    "scheduled",
    "stream",
    "stream_event",
    "template",
    "topic_subscription",
    "vapid_key",
    "version",
    "web_push_subscription",
]
