"""
A push: what a notification says on a device whose app is closed, and what a provider answers.

Providers take 4,096 bytes. The rule of what gives way stands here; how a
provider's bytes are counted is its adapter's to say.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

from tocsin.domain.identifier import new_id
from tocsin.domain.notification import Priority
from tocsin.domain.text import cut

OutcomeKind = Literal["sent", "gone", "refused", "retry"]

MAX_PAYLOAD_BYTES = 4_096
MAX_TTL_S = 28 * 24 * 3_600
DEFAULT_TTL_S = MAX_TTL_S
MAX_COLLAPSE_KEY = 64
MAX_LINK = 1_000

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")

# Less than this of its text says nothing: then the data go, which an app can fetch.
_LEAST_BODY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PushMessage:
    """
    What a device shows. Its texts are users' data: no log tells them.

    Attributes:
        data: For the app; JSON values. Left out where they don't fit.
        collapse_key: A later message with the same key replaces this one on the device; None: none does.
        ttl_s: Seconds that the provider keeps it for a device that is off; 0: now or never.
        badge: The number on the app's icon; None leaves it.
        link: What a tap opens on the web: an https URL, or a path of the site.
        notification_id: The stored notification that it tells of; an app fetches it by this id.
        push_id: Its own: what a second try brings replaces what the first brought, on the device.
    """

    title: str = field(repr=False)
    body: str = field(repr=False)
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    collapse_key: str | None = None
    ttl_s: int = DEFAULT_TTL_S
    priority: Priority = "normal"
    badge: int | None = None
    link: str | None = field(default=None, repr=False)
    notification_id: str | None = None
    push_id: str = field(default_factory=new_id)

    @property
    def tag(self) -> str:
        """What at most one notification on a device has: the latest replaces the others."""
        return self.collapse_key or self.notification_id or self.push_id

    @property
    def is_urgent(self) -> bool:
        """Whether it may wake a sleeping device."""
        return self.priority in {"high", "urgent"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a provider said to one message for one target.

    Attributes:
        kind: ``sent``: the provider took it; ``gone``: the target is no more, nothing
            will ever reach it; ``refused``: the same message will be refused again;
            ``retry``: later it may be taken.
        reason: For logs and traces: the provider's word for it; tells no target and no text.
        retry_after_s: Seconds to wait, where the provider said so.
        provider_id: The provider's id of what it took.
    """

    kind: OutcomeKind
    reason: str = ""
    retry_after_s: float | None = None
    provider_id: str | None = None


def topic_of(tag: str) -> str:
    """Return the ``Topic`` of a Web Push (RFC 8030, 5.4): the tag, or its digest where that is no Topic."""
    return tag if _TOPIC.fullmatch(tag) else urlsafe_b64encode(sha256(tag.encode()).digest())[:32].decode()


def fitted(message: PushMessage, size: Callable[[PushMessage], int], max_bytes: int = MAX_PAYLOAD_BYTES) -> PushMessage:
    """
    Return the message as a provider takes it: what is too long is cut, never refused.

    The body gives way first, at its end. If less than a line of it were left,
    all of ``data`` goes instead: half of it would mislead an app, which fetches
    the notification by its id.

    Args:
        message: Title and link within their own limits.
        size: Counts the encoded bytes of a message; never less for a longer body.
        max_bytes: What the provider takes.
    """
    if size(message) <= max_bytes:
        return message
    least = replace(message, body=message.body[:_LEAST_BODY])
    if message.data and size(least) > max_bytes:
        message = replace(message, data={})
        if size(message) <= max_bytes:
            return message
    fits, exceeds = 1, max(2, len(message.body))
    while exceeds - fits > 1:
        middle = (fits + exceeds) // 2
        if size(_cut(message, middle)) <= max_bytes:
            fits = middle
        else:
            exceeds = middle
    return _cut(message, fits)


def _cut(message: PushMessage, length: int) -> PushMessage:
    return replace(message, body=cut(message.body, length))
