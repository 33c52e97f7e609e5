"""
What the use-cases need from outside: a store, a bus, a token verifier.

Adapters implement these protocols; ``tests/contract`` holds one suite a port
and runs it over every adapter.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from tocsin.application.inbox_store import InboxStore
from tocsin.application.meters import Histogram
from tocsin.application.once import Once
from tocsin.domain.device import Device, DeviceDraft, DeviceKind
from tocsin.domain.message import Message, MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.principal import Principal
from tocsin.domain.push import Outcome, PushMessage
from tocsin.domain.retention import USUAL, Kept
from tocsin.domain.stream import EventDraft, Head, Slice, StreamEvent, StreamKey
from tocsin.domain.user_id import UserId
from tocsin.domain.web_push import PushKeys, WebPushDraft, WebPushSubscription

T_contra = TypeVar("T_contra", contravariant=True)

Draft = NotificationDraft | MessageDraft | EventDraft


class Store(InboxStore, Protocol):
    """
    The one truth: rows and streams, written in one transaction each.

    A write method returns after its rows *and* stream events are committed.
    Before its caller goes on, ``on_commit`` has been called with the events, in
    commit order over all writers. All methods belong to the event loop's thread.

    Every method raises Overloaded when the intake is full, StorageFull when
    the disk is, NotInitialized before ``start``. Write methods with ``once``
    raise KeyReused when the key was used with other content, and repeat the
    first result (and no event) when it was used with the same.
    """

    epoch: str
    on_commit: Callable[[Sequence[StreamEvent]], None]

    async def start(self) -> None:
        """Open the database; on SQLite bring the schema up to date first."""

    async def stop(self) -> None:
        """Commit what was accepted and close."""

    async def ping(self) -> None:
        """Return when a write transaction can commit; raise a TocsinError when not."""

    # Chat

    async def send_message(self, draft: MessageDraft) -> Message:
        """
        Insert with ``message_received`` to the recipient and ``message_sent`` to the sender.

        A repeated ``client_msg_id`` of the sender returns the first message and
        makes no event; with other content it raises KeyReused.
        """

    async def mark_message_read(self, reader_id: UserId, message_id: str) -> Message:
        """Set ``read_at`` of a message *to* the reader; ``message_read`` to both sides."""

    # Events and streams

    async def append_event(
        self, namespace: str, event: str, user_ids: Sequence[UserId], payload: bytes, once: Once | None = None
    ) -> list[StreamEvent]:
        """Append one event to each user's stream in one transaction, users in ascending id."""

    async def write_many(self, drafts: Sequence[Draft], once: Once | None = None) -> list[list[StreamEvent]]:
        """
        Carry out writes in the order given, all or none, in one transaction.

        Returns:
            The events of each draft. A chat message repeated under its
            ``client_msg_id`` has none, nor has what is stored already
            (``adopts_saved``, ``stored_id``). Of a repeated key those of the
            first time, as far as the log still keeps them.
        """

    async def heads(self, keys: Sequence[StreamKey]) -> list[Head]:
        """Return the head of each stream, in the order asked."""

    async def read_stream(self, key: StreamKey, after: int, limit: int) -> Slice:
        """Return the events with ``seq > after``, ascending, with the head of the same snapshot; see ``Slice``."""

    async def save_acks(self, acks: dict[StreamKey, int]) -> None:
        """Raise each stream's acked seq to at least the given one (never above its head); in several transactions."""

    async def changed_elsewhere(self) -> bool:
        """Return whether another process may have written since the last call."""

    # Devices and topics

    async def register_device(self, draft: DeviceDraft, most: int, once: Once | None = None) -> Device:
        """
        Insert a device or update the user's own of this token; another user's becomes this user's.

        Of the user's other devices those seen last stay, ``most - 1`` of them.
        """

    async def list_devices(self, user_id: UserId) -> list[Device]:
        """Return the user's devices, the one seen last first."""

    async def unregister_device(self, user_id: UserId, token: str, kind: DeviceKind, once: Once | None = None) -> None:
        """Delete one of the user's own; NotFound also for another's."""

    async def unregister_all_devices(self, user_id: UserId, once: Once | None = None) -> int:
        """Delete all of the user's own and return how many they were."""

    async def drop_device(self, device: Device) -> bool:
        """
        Delete a device that its provider no longer knows, and return whether it was there.

        One that has been registered again since it was read stays.
        """

    async def subscribe_topic(self, user_id: UserId, topic: str, once: Once | None = None) -> None:
        """Make the user follow a topic, if it is not so; Conflict beyond 2,000 topics."""

    async def unsubscribe_topic(self, user_id: UserId, topic: str, once: Once | None = None) -> None:
        """Make the user follow a topic no more, if it is so."""

    async def list_topics(self, user_id: UserId) -> list[str]:
        """Return the topics that the user follows, by name."""

    # Web Push

    async def save_web_push(self, draft: WebPushDraft, most: int, once: Once | None = None) -> WebPushSubscription:
        """
        Insert a subscription or update the user's own of this endpoint; another user's becomes this user's.

        Of the user's other subscriptions those seen last stay, ``most - 1`` of them.
        """

    async def list_web_push(self, user_id: UserId) -> list[WebPushSubscription]:
        """Return the user's subscriptions, the one seen last first."""

    async def delete_web_push(self, user_id: UserId, endpoint: str, once: Once | None = None) -> None:
        """Delete one of the user's own; NotFound also for another's."""

    async def drop_web_push(self, gone: WebPushSubscription) -> bool:
        """Delete a subscription if it still is the same, user and keys too; return whether it was."""

    async def see_web_push(self, subscription_id: str, notification_id: str | None, event: str) -> None:
        """
        Set ``last_seen_at`` to now, never back, and add a step to the notification's trace, once for each event.

        Nothing where there is no such subscription.
        """

    async def push_keys(self, fresh: PushKeys) -> PushKeys:
        """Return the keys of this installation; keep ``fresh`` as these where there are none yet."""

    # Upkeep

    async def prune(self, now: int, kept: Kept = USUAL) -> dict[str, int]:
        """Drop events past retention, expired notifications, old keys; return counts by table."""

    async def new_epoch(self) -> str:
        """Begin a new life of the streams, after a restore; every cursor becomes unknown."""


OnEvents = Callable[[Sequence[StreamEvent]], None]
OnEphemeral = Callable[[UserId | None, str, str, Any], None]
OnWake = Callable[[Sequence[StreamKey]], None]
OnGap = Callable[[], None]


class Bus(Protocol):
    """
    Wakes the nodes that hold a user's sockets. It carries events and is not the truth.

    At most once; a lost wake-up is made good by the sweep of heads. Handlers are
    called on the event loop's thread and must not block.
    """

    @property
    def is_connected(self) -> bool:
        """Return whether the other nodes are reached now, and heard."""

    @property
    def stats(self) -> dict[str, int]:
        """Return counts since the start, and states of now as 0 or 1; empty where there are no other nodes."""

    @property
    def echoes(self) -> Histogram | None:
        """Return how many seconds a message took to come back to this node; None where there are no other nodes."""

    @property
    def is_deaf(self) -> bool:
        """Return whether what this node publishes is taken and not heard here, since a moment: others may hear it."""

    def publish(self, events: Sequence[StreamEvent]) -> None:
        """Pass on committed events, in commit order."""

    def publish_ephemeral(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        """Pass on an event that no stream keeps, to a user or (None) to everybody on the namespace."""

    def wake(self, keys: Sequence[StreamKey]) -> None:
        """Say that these streams may have grown; whoever holds them looks into the log."""

    def subscribe(
        self, on_events: OnEvents, on_ephemeral: OnEphemeral, on_wake: OnWake, on_gap: OnGap | None = None
    ) -> None:
        """
        Set the handlers of this node, in place of earlier ones.

        ``on_gap`` is called when wake-ups may have been missed: whatever the
        node holds is to be compared with the log soon.
        """

    def follow(self, user_id: UserId) -> None:
        """
        Bring what other nodes publish to a user, from some moment on; never waits.

        Before it, and after ``unfollow``, the handlers may or may not hear of the user. What is for
        everybody, and events of types that are ``everywhere``, they always do.
        """

    def unfollow(self, user_id: UserId) -> None:
        """Take one ``follow`` back."""

    async def heard(self, user_ids: Collection[UserId]) -> None:
        """
        Return once what other nodes publish to these followed users arrives here, within a second at most.

        Whoever reads the log after this misses nothing: where it is not so in time, ``on_gap`` follows when it is.
        """

    async def start(self) -> None:
        """Begin to carry; returns at once, whatever state the network is in."""

    async def stop(self) -> None:
        """Pass on what was published, for a second at most, and end."""


class TokenVerifier(Protocol):
    """Turns a token into a principal."""

    def verify(self, token: object) -> Principal:
        """
        Return the principal; results are cached until the token expires.

        Raises:
            Unauthenticated: Anything about the token is wrong; the detail never
                holds the token.
        """


class PushSender(Protocol[T_contra]):
    """Sends to one kind of target through its provider. Belongs to the event loop's thread."""

    async def start(self) -> None:
        """Make ready; nothing is asked of the provider yet."""

    async def stop(self) -> None:
        """Give up what is still under way and let go of everything."""

    async def send(self, message: PushMessage, targets: Sequence[T_contra]) -> list[Outcome]:
        """
        Try each target once, and say what came of each, in their order.

        Never raises for what a provider answers, or for its silence, and returns
        in bounded time. What had no answer may have arrived all the same: its
        second try has the same ``tag``.
        """


class PushEndpoints(Protocol):
    """Judges where the endpoints of browsers lead to: to push services, never into the server's own network."""

    async def check(self, endpoint: str) -> None:
        """
        Accept an endpoint that pushes may go to.

        Raises:
            Invalid: They may not; the detail does not tell the endpoint.
            Overloaded: Nobody can say now; the same may be accepted later.
        """


class PushKeyring(Protocol):
    """The keys that this installation pushes with: made at first use, the same on all nodes, for good."""

    async def keys(self) -> PushKeys:
        """Return them, all of them secret."""

    async def public_key(self) -> str:
        """Return what browsers subscribe with (RFC 8292, 3.2): a point of P-256 in base64url."""
