"""
The registry of events: every name that crosses a socket, with its payload's type.

The TypeScript types in ``web/src/client/events.generated.ts`` are generated from here.
A durable event is committed to a stream before anybody hears of it; an
ephemeral one is delivered at most once, to whoever is connected.

Publishers may add fields of their own to a payload; a known field has its
type. Durable payloads also carry ``event_id``, ``seq`` and ``epoch``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict, get_args, get_type_hints, is_typeddict

from tocsin.domain.errors import Invalid
from tocsin.domain.inbox_events import (
    NotificationDeleted,
    NotificationPayload,
    NotificationRead,
    NotificationUpdated,
    PreferencesChanged,
    UnreadCount,
)

MAX_NAMESPACE = 128
MAX_EVENT_NAME = 128

Namespace = Literal["/sns", "/orders", "/chat", "/notifications"]
NAMESPACES: tuple[Namespace, ...] = get_args(Namespace)

Id = int | str


class PublishProgress(TypedDict):
    """One post on its way to social platforms."""

    post_id: NotRequired[Id]
    platforms: NotRequired[list[str]]
    message: NotRequired[str]
    timestamp: NotRequired[str]


class PublishFailed(PublishProgress):
    """A post that did not go out, and why."""

    error: NotRequired[str]


class PostReaction(TypedDict):
    """Somebody liked or commented on a post."""

    post_id: NotRequired[Id]
    user_id: NotRequired[Id]
    user_name: NotRequired[str]
    comment: NotRequired[str]
    timestamp: NotRequired[str]


class PresenceChange(TypedDict):
    """A user came or went."""

    user_id: NotRequired[Id]
    timestamp: NotRequired[str]


class OrderUpdated(TypedDict):
    """An order's status changed."""

    order_id: NotRequired[Id]
    status: NotRequired[str]
    message: NotRequired[str]
    timestamp: NotRequired[str]


class ShipmentUpdate(TypedDict):
    """A parcel moved."""

    order_id: NotRequired[Id]
    status: NotRequired[str]
    location: NotRequired[str]
    carrier: NotRequired[str]
    tracking_number: NotRequired[str]
    timestamp: NotRequired[str]


class DeliveryConfirmed(TypedDict):
    """A parcel arrived."""

    order_id: NotRequired[Id]
    message: NotRequired[str]
    timestamp: NotRequired[str]


class ChatAttachment(TypedDict):
    """A link to a file that the host keeps."""

    url: str
    name: NotRequired[str]
    type: NotRequired[str]
    size: NotRequired[int]


class ChatMessage(TypedDict):
    """
    A stored message, to its recipient or to its sender's other devices.

    A ``message_edited`` has it whole, as it is now. Ids sort in the order of a conversation.
    """

    id: str
    from_user_id: Id
    to_user_id: Id
    message: str
    client_msg_id: str | None
    timestamp: str
    read_at: str | None
    delivered_at: NotRequired[str]
    edited_at: NotRequired[str]
    deleted_at: NotRequired[str]
    attachments: NotRequired[list[ChatAttachment]]
    ciphertext: NotRequired[dict[str, Any]]


class UserTyping(TypedDict):
    """Somebody is writing to the receiver, or stopped."""

    user_id: Id
    is_typing: bool


class MessageDelivered(TypedDict):
    """A device of the recipient has a message, and all before it of the same sender; both sides hear it."""

    message_id: str
    from_user_id: Id
    to_user_id: Id
    delivered_at: str


class MessageDeleted(TypedDict):
    """A message was taken back by its sender: its text is gone on both sides, its place stays."""

    message_id: str
    from_user_id: Id
    to_user_id: Id
    deleted_at: str


class BlockChanged(TypedDict):
    """The user takes nothing from another any more, or again; told to the own devices alone."""

    user_id: Id
    is_blocked: bool


class ToDevice(TypedDict):
    """Something sealed for a device of the user waits in its inbox; whichever device it is fetches it."""

    device_id: str


class DevicesChanged(TypedDict):
    """A user has a new device that encrypts, or one less: the directory knows."""

    user_id: Id


class MessageRead(TypedDict):
    """
    A message was read by its recipient, and all before it of the same sender; both sides hear it.

    What is read and was not delivered is delivered now: its ``delivered_at`` is the ``read_at``.
    """

    message_id: str
    from_user_id: Id
    to_user_id: Id
    read_at: str


class Synced(TypedDict):
    """Everything up to ``seq`` has been sent; what follows is live."""

    epoch: str
    seq: int


class Resync(TypedDict):
    """The cursor can't be resumed: refetch over REST, then go on from ``(epoch, seq)``."""

    reason: Literal["epoch_changed", "ahead_of_head", "pruned", "too_far_behind"]
    epoch: str
    seq: int


class AuthExpiring(TypedDict):
    """The token ends soon; send ``reauth`` with a new one to stay connected."""

    expires_at: str


class AuthExpired(TypedDict):
    """The token has ended; the transport closes after this."""

    expires_at: str


class ServerDraining(TypedDict):
    """The server stops: the transport closes soon, come back after ``retry_in`` seconds."""

    retry_in: float


@dataclass(frozen=True, slots=True)
class EventType:
    """
    One server event.

    Attributes:
        publishable: A back end may publish it through ``POST /api/events``.
        everywhere: Every node hears of it, also those that its user is not on.
    """

    namespace: Namespace
    name: str
    payload: type
    durable: bool = True
    publishable: bool = False
    everywhere: bool = False


def _published(namespace: Namespace, payload: type, *names: str, durable: bool = True) -> list[EventType]:
    return [EventType(namespace, name, payload, durable=durable, publishable=True) for name in names]


REGISTRY: tuple[EventType, ...] = (
    *_published("/sns", PublishProgress, "publish_started", "publish_success"),
    *_published("/sns", PublishFailed, "publish_failed"),
    *_published("/sns", PostReaction, "post_liked", "post_commented"),
    *_published("/sns", PresenceChange, "user_online", "user_offline", durable=False),
    *_published("/orders", OrderUpdated, "order_updated"),
    *_published("/orders", ShipmentUpdate, "shipment_update"),
    *_published("/orders", DeliveryConfirmed, "delivery_confirmed"),
    EventType("/chat", "message_received", ChatMessage),
    EventType("/chat", "message_sent", ChatMessage),
    EventType("/chat", "message_delivered", MessageDelivered),
    EventType("/chat", "message_read", MessageRead),
    EventType("/chat", "message_edited", ChatMessage),
    EventType("/chat", "message_deleted", MessageDeleted),
    # Nodes of the other side hide one from the other.
    EventType("/chat", "block_changed", BlockChanged, everywhere=True),
    EventType("/chat", "to_device", ToDevice, durable=False),
    EventType("/chat", "devices_changed", DevicesChanged, durable=False),
    EventType("/chat", "user_typing", UserTyping, durable=False),
    *_published("/chat", PresenceChange, "user_online", "user_offline", durable=False),
    EventType("/notifications", "notification", NotificationPayload),
    EventType("/notifications", "notification_read", NotificationRead),
    EventType("/notifications", "notification_deleted", NotificationDeleted),
    EventType("/notifications", "notification_updated", NotificationUpdated),
    EventType("/notifications", "unread_count", UnreadCount, durable=False),
    EventType("/notifications", "preferences_changed", PreferencesChanged, durable=False),
)

CONTROL_EVENTS: dict[str, type] = {
    "synced": Synced,
    "resync": Resync,
    "auth_expiring": AuthExpiring,
    "auth_expired": AuthExpired,
    "server_draining": ServerDraining,
}

_BY_NAME: dict[tuple[str, str], EventType] = {(kind.namespace, kind.name): kind for kind in REGISTRY}


def find_event_type(namespace: str, name: str) -> EventType | None:
    """Return the registered event, or None."""
    return _BY_NAME.get((namespace, name))


def typed_dicts(hint: Any) -> Iterator[type]:
    """Find the TypedDicts of which a payload is made, the innermost first and itself last; one may come again."""
    inner = get_type_hints(hint, include_extras=True).values() if is_typeddict(hint) else get_args(hint)
    for one in inner:
        yield from typed_dicts(one)
    if is_typeddict(hint):
        yield hint


# What the Socket.IO library raises by itself, on either side; no packet may carry these.
LIBRARY_EVENTS = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})

# What clients may ask the server itself, by namespace, and on each of them.
CLIENT_EVENTS: dict[str, frozenset[str]] = {
    "/sns": frozenset({"publish_start", "watch"}),
    "/orders": frozenset(),
    "/chat": frozenset({"send_message", "edit_message", "delete_message", "typing", "mark_read", "watch"}),
    "/notifications": frozenset({"mark_read", "mark_all_read", "mark_seen", "delete"}),
}
CONTROL_REQUESTS = frozenset({"ack", "replay", "watch", "reauth"})

# The one of these that a host's handler may take over.
HOST_TAKES = ("/sns", "publish_start")

# Where the host's functions publish an event of the registry; the others the server makes itself.
_PUBLISHED_BY = {
    "/sns": "broadcast_sns_event",
    "/orders": "broadcast_order_event",
    "notification": "broadcast_notification",
    "message_received": "broadcast_chat_message",
    "message_sent": "broadcast_chat_message",
}


def check_namespace(namespace: object) -> None:
    """Raise Invalid unless it is ``/`` or ``/name``, printable and without a comma or question mark."""
    if not isinstance(namespace, str) or not namespace.startswith("/") or set(namespace) & set(",?"):
        raise Invalid(f"{namespace!r} is not a namespace such as '/' or '/orders'")
    if len(namespace) > MAX_NAMESPACE or not namespace.isprintable():
        raise Invalid(f"a namespace has at most {MAX_NAMESPACE} characters, all of them printable")


def check_event_name(event: object) -> None:
    """Raise Invalid unless it is a name that an application may give to an event of its own."""
    if not isinstance(event, str) or not 0 < len(event) <= MAX_EVENT_NAME or not event.isprintable():
        raise Invalid(f"the name of an event has 1 to {MAX_EVENT_NAME} characters, all of them printable")
    if event in LIBRARY_EVENTS:
        raise Invalid(f"{event!r} is raised by Socket.IO itself; give the event another name")


def check_host_event(namespace: object, event: object) -> None:
    """
    Raise Invalid unless a handler of the application may take the client event.

    What the server takes itself can't be replaced; the control requests on no
    namespace, so that one that is the application's today may have a stream later.
    """
    check_namespace(namespace)
    check_event_name(event)
    is_own = event in CONTROL_REQUESTS or event in CLIENT_EVENTS.get(str(namespace), ())
    if is_own and (namespace, event) != HOST_TAKES:
        raise Invalid(f"{event!r} on {namespace} is taken by the server itself; give the event another name")


def check_live_event(namespace: object, event: object) -> None:
    """
    Raise Invalid unless the application may send the event live, to whoever is connected.

    The names of the registry and the control events are the server's own: a
    client that keeps a cursor must never see one that stands in no stream.
    """
    check_namespace(namespace)
    check_event_name(event)
    assert isinstance(namespace, str)
    assert isinstance(event, str)
    if event in CONTROL_EVENTS:
        raise Invalid(f"{event!r} is the server's own; give the event another name")
    if find_event_type(namespace, event) is not None:
        call = _PUBLISHED_BY.get(event) or _PUBLISHED_BY.get(namespace)
        way = f"publish it with {call}" if call else "give the event another name"
        raise Invalid(f"{event!r} on {namespace} is the server's own; {way}")
