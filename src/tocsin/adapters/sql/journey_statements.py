"""SQL of the trace, compiled once."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, literal_column, select

from tocsin.adapters.sql.dialects import compiled, pair
from tocsin.adapters.sql.schema import (
    channel,
    device,
    fan_out,
    idempotency_key,
    notification,
    preference,
    scheduled,
    stream_event,
    web_push_subscription,
)

_NOTIFICATIONS: ColumnElement[str] = literal_column("'/notifications'")
_EMPTY: ColumnElement[str] = literal_column("''")
_NONE_LEFT_OUT: ColumnElement[int] = literal_column("0")
_ABOUT = "SELECT seq, event, payload, created_at FROM tocsin_stream_event WHERE user_id = {} AND namespace = '/notifications' AND ({}) ORDER BY seq"  # noqa: E501
_OWNER = "SELECT user_id FROM tocsin_stream_event WHERE created_at BETWEEN {} AND {} AND namespace = '/notifications' AND {} LIMIT 1"  # noqa: E501 no value in it
_NAMES = ("one", "two", "every")

# What stands in a payload is looked for as bytes: JSON in a BLOB, which the databases search in words of their own.
ABOUT = pair(
    _ABOUT.format(":user_id", " OR ".join(f"instr(payload, :{name}) > 0" for name in _NAMES)),
    _ABOUT.format("%(user_id)s", " OR ".join(f"position(%({name})s::bytea IN payload) > 0" for name in _NAMES)),
)
OWNER = pair(
    _OWNER.format(":since", ":until", "instr(payload, :one) > 0"),
    _OWNER.format("%(since)s", "%(until)s", "position(%(one)s::bytea IN payload) > 0"),
)

_id: BindParameter[Any] = bindparam("id")
_user: BindParameter[Any] = bindparam("user_id")
_limit: BindParameter[int] = bindparam("limit")

ASKED = compiled(
    select(idempotency_key.c.owner, idempotency_key.c.key, idempotency_key.c.result).where(
        idempotency_key.c.created_at == bindparam("at")
    )
)
SCHEDULED = compiled(select(scheduled).where(scheduled.c.id == _id))
JOB = compiled(select(fan_out.c.topic).where(fan_out.c.id == _id))
# Those that were at work when it was made.
JOBS = compiled(
    select(fan_out.c.id, fan_out.c.topic, fan_out.c.draft)
    .where(
        fan_out.c.created_at <= bindparam("at"),
        func.coalesce(fan_out.c.finished_at, bindparam("at")) >= bindparam("at"),
    )
    .order_by(fan_out.c.id)
)
PREFERENCES = compiled(select(preference.c.user_id, preference.c.body).where(preference.c.user_id.in_([_user, _EMPTY])))
DEVICES = compiled(
    select(device.c.id, device.c.device_name, device.c.platform, device.c.created_at, device.c.last_seen_at)
    .where(device.c.user_id == _user)
    .order_by(device.c.created_at)
)
BROWSERS = compiled(
    select(
        web_push_subscription.c.id,
        web_push_subscription.c.endpoint,
        web_push_subscription.c.created_at,
        web_push_subscription.c.last_seen_at,
    )
    .where(web_push_subscription.c.user_id == _user)
    .order_by(web_push_subscription.c.created_at)
)
CHANNELS = compiled(
    select(func.count())
    .select_from(channel)
    .where(
        (channel.c.user_id == _user) | ((channel.c.user_id.is_(None)) & (channel.c.category == bindparam("category")))
    )
)
LOG = compiled(
    select(stream_event.c.event, stream_event.c.payload, stream_event.c.created_at)
    .where(stream_event.c.user_id == _user, stream_event.c.namespace == _NOTIFICATIONS)
    .order_by(stream_event.c.seq)
)


def _latest(*where: ColumnElement[bool]) -> str:
    found: Select[Any] = select(
        *(notification.c[name] for name in ("id", "type", "title", "created_at", "expires_at")),
    ).where(notification.c.user_id == _user, *where)
    return compiled(found.order_by(notification.c.seq.desc()).limit(_limit).offset(_NONE_LEFT_OUT))


# Each has an index of its own; there is none over all rows of a user.
LATEST = {
    "listed": _latest(notification.c.archived_at.is_(None), notification.c.snoozed_until.is_(None)),
    "archived": _latest(notification.c.archived_at.is_not(None)),
    "snoozed": _latest(notification.c.snoozed_until.is_not(None)),
}
