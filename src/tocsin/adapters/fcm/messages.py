"""A push in Firebase's words: its parts for Android, Apple devices and the web."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import orjson
from firebase_admin import messaging  # type: ignore[import-untyped]

from tocsin.domain.push import MAX_PAYLOAD_BYTES, PushMessage, fitted, topic_of

# Firebase adds fields of its own to what an Apple device gets.
_OWN_BYTES = 256
_MAX_APNS_COLLAPSE_ID = 64
# A day later a device that was off has shown nothing that is still worth taking back.
RETRACT_TTL_S = 24 * 3_600
_RESERVED = frozenset({"", "from", "message_type", "collapse_key"})
_RESERVED_PREFIXES = ("google", "gcm")
_URGENCY = {"low": "low", "normal": "normal", "high": "high", "urgent": "high"}

MessageFor = Callable[[str, str], messaging.Message]


def message_maker(message: PushMessage) -> MessageFor:
    """Return what makes the message for a target (its kind and token); what it shares is built once."""
    message = fitted(message, _size, MAX_PAYLOAD_BYTES - _OWN_BYTES)
    parts = {
        "data": strings(message),
        "notification": messaging.Notification(title=message.title, body=message.body),
        "android": _android(message),
        "apns": _apns(message),
        "webpush": _webpush(message),
    }
    return lambda kind, token: messaging.Message(**parts, **{kind: token})


def least_message(kind: str, token: str) -> messaging.Message:
    """Return a message that nothing can be wrong with but its target."""
    return messaging.Message(notification=messaging.Notification(title="-"), **{kind: token})


def retraction_maker(tags: Sequence[str]) -> MessageFor:
    """
    Return what makes the message that takes others back: data alone, which an app acts on without showing it.

    Its ``tocsin_retract`` is a JSON list of tags: on Android those of the notifications, on Apple devices
    their ``apns-collapse-id``.
    """
    parts = {
        "data": {"tocsin_retract": orjson.dumps(list(tags)).decode()},
        "android": messaging.AndroidConfig(priority="normal", ttl=timedelta(seconds=RETRACT_TTL_S)),
        "apns": messaging.APNSConfig(
            headers={
                "apns-priority": "5",
                "apns-push-type": "background",
                "apns-expiration": str(int(time.time()) + RETRACT_TTL_S),
            },
            payload=messaging.APNSPayload(aps=messaging.Aps(content_available=True)),
        ),
        "webpush": messaging.WebpushConfig(headers={"TTL": str(RETRACT_TTL_S), "Urgency": "normal"}),
    }
    return lambda kind, token: messaging.Message(**parts, **{kind: token})


def strings(message: PushMessage) -> dict[str, str]:
    """
    Return the data as Firebase takes them: strings; what is none is JSON.

    A key that Firebase keeps for itself gets an underscore before it.
    """
    data = {_key(name): _string(value) for name, value in message.data.items()}
    if message.link is not None:
        data.setdefault("link", message.link)
    if message.notification_id is not None:
        data["notification_id"] = message.notification_id
    return data


def _key(name: str) -> str:
    return f"_{name}" if name in _RESERVED or name.startswith(_RESERVED_PREFIXES) else name


def _string(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _size(message: PushMessage) -> int:
    shown = {"alert": {"title": message.title, "body": message.body}, "badge": message.badge, "sound": "default"}
    return len(orjson.dumps({"aps": shown, **strings(message)}))


def _sound(message: PushMessage) -> str | None:
    return None if message.priority == "low" else "default"


def _android(message: PushMessage) -> messaging.AndroidConfig:
    return messaging.AndroidConfig(
        # Only where it was asked for: Firebase keeps four of these a device, and drops what has others.
        collapse_key=message.collapse_key,
        priority="high" if message.is_urgent else "normal",
        ttl=timedelta(seconds=message.ttl_s),
        notification=messaging.AndroidNotification(
            tag=message.tag, sound=_sound(message), notification_count=message.badge
        ),
    )


def _apns(message: PushMessage) -> messaging.APNSConfig:
    tag = message.tag
    return messaging.APNSConfig(
        headers={
            "apns-priority": "10" if message.is_urgent else "5",
            "apns-expiration": str(int(time.time()) + message.ttl_s if message.ttl_s else 0),
            "apns-collapse-id": tag if tag.isascii() and len(tag) <= _MAX_APNS_COLLAPSE_ID else topic_of(tag),
        },
        payload=messaging.APNSPayload(aps=messaging.Aps(badge=message.badge, sound=_sound(message))),
    )


def _webpush(message: PushMessage) -> messaging.WebpushConfig:
    link = message.link if message.link is not None and message.link.startswith("https://") else None
    return messaging.WebpushConfig(
        headers={"TTL": str(message.ttl_s), "Urgency": _URGENCY[message.priority], "Topic": topic_of(message.tag)},
        notification=messaging.WebpushNotification(tag=message.tag),
        fcm_options=None if link is None else messaging.WebpushFCMOptions(link=link),
    )
