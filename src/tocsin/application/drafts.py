"""
What a back end's dictionaries mean: checked drafts of events, notifications and messages.

Pure functions for any thread. Everything is encoded or copied at the call: a
dictionary that changes afterwards changes nothing. Nothing is stored here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import orjson

from tocsin.application.activity import check_payload, publishable_event, worded
from tocsin.application.chat import check_message
from tocsin.application.notifications import check_notification
from tocsin.application.texts import Lang
from tocsin.application.validation import refuse_no_numbers
from tocsin.domain.errors import Invalid
from tocsin.domain.events import EventType
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import MAX_RECIPIENTS, NotificationDraft, Priority, check_expiry
from tocsin.domain.stream import EventDraft
from tocsin.domain.timestamp import Milliseconds, from_datetime, is_instant, now_ms
from tocsin.domain.user_id import parse_user_id

_PRIORITIES = get_args(Priority)
# Python back ends hand over datetimes, and mean UTC by a naive one (the guide: utcnow()).
_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_OWN = frozenset(
    {"title", "message", "type", "category", "priority", "sound", "expires_at", "ttl_s", "data", "collapse_key"}
    | {"template", "params"}
)
_MAX_TTL_S = 100 * 365 * 86_400


def draft_event(
    namespace: str, event: str, user_ids: Sequence[object], data: Mapping[str, Any] | None, lang: Lang = "en"
) -> tuple[EventType, EventDraft]:
    """
    Return a registered event for users, with what the registry says of it.

    An event that may have a ``message`` and comes without one gets the words
    that the server has for it.

    Raises:
        Invalid: No such event to publish, a wrong user or field, or not JSON.
        PayloadTooBig: ``data`` exceeds 64 KiB encoded.
    """
    kind = publishable_event(namespace, event)
    if not 1 <= len(user_ids) <= MAX_RECIPIENTS:
        raise Invalid(f"user_ids must hold 1 to {MAX_RECIPIENTS} users")
    users = tuple(dict.fromkeys(parse_user_id(user_id) for user_id in user_ids))
    _, encoded = check_payload(kind, worded(kind, copy_json(data), lang))
    return kind, EventDraft(namespace, event, users, encoded)


def draft_notification(user_id: object, fields: Mapping[str, Any], *, may_be_over: bool = False) -> NotificationDraft:
    """
    Return a notification from one dictionary; keys that it has no field for go into its ``data``.

    An ``id`` among them may be that of one that is stored already, see ``NotificationDraft``.

    Args:
        user_id: Whose inbox.
        fields: By name.
        may_be_over: Take one that has expired, as what is stored already may have.

    Raises:
        Invalid: There is no ``title``, or a field breaks a rule.
        PayloadTooBig: ``data`` exceeds 16 KiB encoded.
    """
    if not isinstance(fields, Mapping):
        raise Invalid("a notification is a dictionary with a title")
    given = copy_json({name: value for name, value in fields.items() if name != "expires_at"})
    data = {} if given.get("data") is None else given["data"]
    if not isinstance(data, dict):
        raise Invalid("data must be an object")
    priority: Priority = "normal" if given.get("priority") is None else given["priority"]
    if priority not in _PRIORITIES:
        raise Invalid(f"priority must be one of {', '.join(_PRIORITIES)}")
    kind = _text(given, "type")
    group = _group(given)
    template = _text(given, "template")
    params = given.get("params") if template is not None else None
    if not isinstance(params, dict | None):
        raise Invalid("params must be an object")
    draft = NotificationDraft(
        user_id=parse_user_id(user_id),
        type="notification" if kind is None else kind,
        title=_text(given, "title") or "",
        message=_text(given, "message") or "",
        data={
            name: value
            for name, value in given.items()
            if name not in _OWN and (name, value) != ("group", None) and not (group and name == "group")
        }
        | data,
        category=_text(given, "category"),
        priority=priority,
        sound=_text(given, "sound"),
        expires_at=_expiry(fields.get("expires_at"), given.get("ttl_s")),
        stored_id=given["id"] if isinstance(given.get("id"), str) else None,
        collapse_key=_text(given, "collapse_key"),
        template=template,
        params=params or {},
        **group,
    )
    check_notification(draft)
    if draft.stored_id is None and not may_be_over:
        check_expiry([draft], now_ms())
    return draft


def draft_message(
    from_user_id: object,
    to_user_id: object,
    message: object,
    client_msg_id: str | None = None,
    *,
    adopts_saved: bool = False,
) -> MessageDraft:
    """
    Return a chat message; ``adopts_saved`` as in ``MessageDraft``.

    Raises:
        Invalid: A user, the text or the id breaks a rule.
    """
    if not isinstance(message, str):
        raise Invalid("message must be a string")
    if not isinstance(client_msg_id, str | None):
        raise Invalid("client_msg_id must be a string")
    draft = MessageDraft(
        from_user_id=parse_user_id(from_user_id, "from_user_id"),
        to_user_id=parse_user_id(to_user_id, "to_user_id"),
        message=message,
        client_msg_id=client_msg_id,
        adopts_saved=adopts_saved,
    )
    check_message(draft)
    return draft


def copy_json(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """
    Return a deep copy of an object as JSON has it; instants become ISO 8601 UTC.

    Raises:
        Invalid: It is no object, or holds what JSON can't carry.
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise Invalid("data must be a dictionary")
    copied: dict[str, Any] = orjson.loads(encode_json(dict(data)))
    moment = copied.get("timestamp")
    if isinstance(moment, str):
        copied["timestamp"] = _in_utc(moment)
    return copied


def encode_json(value: object) -> bytes:
    """
    Return any value as JSON; instants become ISO 8601 UTC.

    Raises:
        Invalid: It holds what JSON can't carry.
    """
    try:
        encoded = orjson.dumps(value, option=_OPTIONS)
    except TypeError as error:
        if "key must be str" not in str(error):
            raise Invalid(f"data is not JSON: {error}") from None
        try:
            encoded = orjson.dumps(value, option=_OPTIONS | orjson.OPT_NON_STR_KEYS)
        except TypeError as other:
            raise Invalid(f"data is not JSON: {other}") from None
    refuse_no_numbers(value, encoded)
    return encoded


def _group(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``group: {key, actor?: {id, name?}}``; another object of that name is the page's own."""
    group = given.get("group")
    if not isinstance(group, dict) or not isinstance(group.get("key"), str):
        return {}
    actor = group.get("actor")
    if actor is None:
        return {"group_key": group["key"]}
    if not isinstance(actor, dict) or not isinstance(actor.get("name"), str | None):
        raise Invalid("group.actor must be an object with an id, and a name or none")
    actor_id = parse_user_id(actor.get("id"), "group.actor.id")
    return {"group_key": group["key"], "actor_id": actor_id, "actor_name": actor.get("name")}


def _in_utc(moment: str) -> str:
    """Return an ISO 8601 instant in UTC, with ``Z``: a naive one would be a browser's own time, so it is UTC, too."""
    try:
        instant = datetime.fromisoformat(moment)
        if ":" not in moment or moment.endswith("Z"):
            return moment  # a day, or UTC already
        instant = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return moment
    return f"{instant.replace(tzinfo=None).isoformat()}Z"


def _text(given: Mapping[str, Any], field: str) -> str | None:
    value = given.get(field)
    if not isinstance(value, str | None):
        raise Invalid(f"{field} must be a string")
    return value


def _expiry(expires_at: object, ttl_s: object) -> Milliseconds | None:
    if expires_at is not None and ttl_s is not None:
        raise Invalid("give expires_at or ttl_s, not both")
    if ttl_s is not None:
        if isinstance(ttl_s, bool) or not isinstance(ttl_s, int | float) or not 0 < ttl_s <= _MAX_TTL_S:
            raise Invalid("ttl_s must be a positive number of seconds")
        return Milliseconds(now_ms() + int(ttl_s * 1000))
    if expires_at is None:
        return None
    try:
        moment = datetime.fromisoformat(expires_at) if isinstance(expires_at, str) else expires_at
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise Invalid("expires_at must be a datetime, or a string as in 2026-11-23T01:15:00Z")
    instant = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if instant > 0 and not is_instant(instant):
        raise Invalid("expires_at must lie before the year 10000 in UTC")
    return instant
