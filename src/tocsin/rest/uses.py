"""What the routes call: use-cases and ports, handed over by ``bootstrap``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from tocsin.application.activity import Activity
from tocsin.application.channels import Channels
from tocsin.application.chat import Chat
from tocsin.application.devices import Devices
from tocsin.application.e2ee import Encryption
from tocsin.application.erasure import Erasures
from tocsin.application.export import Exports
from tocsin.application.fan_out import FanOut
from tocsin.application.insight import Insight
from tocsin.application.notifications import Notifications
from tocsin.application.ports import Bus, Store, TokenVerifier
from tocsin.application.preferences import Preferences
from tocsin.application.presence import Presence
from tocsin.application.revocations import Revocations
from tocsin.application.streams import Streams
from tocsin.application.tails import Tails
from tocsin.application.templates import Templates
from tocsin.application.tracing import Tracing
from tocsin.application.web_push import WebPush
from tocsin.rest.limits import RequestLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """
    The collaborators of every route.

    Attributes:
        is_accepting: False from the first moment of a drain.
        allow_origin: ``(origin, scheme, host)``: may this page call? One rule for REST, polling and sockets.
        expose: Returns the metrics as text and its media type, as the ``Accept`` given wants them.
        metrics_access: Who may read them.
        tracing: Follows requests; None: nothing is followed.
    """

    store: Store
    bus: Bus
    tokens: TokenVerifier
    notifications: Notifications
    activity: Activity
    chat: Chat
    encryption: Encryption
    presence: Presence
    devices: Devices
    web_push: WebPush
    insight: Insight
    fan_out: FanOut
    preferences: Preferences
    templates: Templates
    channels: Channels
    streams: Streams
    tails: Tails
    erasures: Erasures
    exports: Exports
    limits: RequestLimits
    revocations: Revocations
    is_accepting: Callable[[], bool]
    allow_origin: Callable[[str, str, str], bool]
    expose: Callable[[str], Awaitable[tuple[bytes, str]]]
    metrics_access: Literal["loopback", "token", "open", "off"]
    tracing: Tracing | None = None
