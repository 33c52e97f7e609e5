"""
The four namespaces and the host's own on an engine: users in, their streams out.

This module only wires: who may connect is ``authenticate``, what a socket is
sent is ``resume`` and ``live_streams``, what it may ask is in the modules of
the namespaces, and in ``host_events`` where the host decides.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from tocsin.application.activity import Activity
from tocsin.application.chat import Chat
from tocsin.application.meters import Histogram
from tocsin.application.nodes import Nodes
from tocsin.application.notifications import Notifications
from tocsin.application.ports import Bus, Store
from tocsin.application.presence import Presence
from tocsin.application.rate_limits import RateLimits
from tocsin.application.revocations import Revocations
from tocsin.application.shared_limits import SharedLimits
from tocsin.application.streams import Streams
from tocsin.application.tails import Tails
from tocsin.application.tracing import Tracing
from tocsin.application.typing import Typing
from tocsin.application.witness import NAMESPACE as WITNESSED
from tocsin.application.witness import Witness
from tocsin.domain.errors import KeyUnknown, TocsinError
from tocsin.domain.events import HOST_TAKES, NAMESPACES, check_host_event, check_namespace
from tocsin.domain.rate import Rate
from tocsin.domain.revocation import Revocation
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId
from tocsin.engine import ConnectRefused, Socket, SocketServer, TimerWheel
from tocsin.engine.current import named
from tocsin.engine.limits import Pace
from tocsin.engine.namespace import Handler, Namespace
from tocsin.realtime import chat as chat_events
from tocsin.realtime import control, sns
from tocsin.realtime import notifications as notification_events
from tocsin.realtime import presence as presence_events
from tocsin.realtime.asyncapi import asyncapi_document
from tocsin.realtime.authenticate import USER_CONNECTIONS, Authenticator
from tocsin.realtime.client_events import ClientEvents, Result, identity_of
from tocsin.realtime.drain import ANSWERS_S, DRAIN_S, Drain
from tocsin.realtime.host_events import HostEvents, HostFunction, find_rate
from tocsin.realtime.live_streams import SWEEP_S, LiveStream, LiveStreams
from tocsin.realtime.resume import Cursor, Resumer, parse_cursor
from tocsin.realtime.sessions import Sessions

FORGET_IDLE_S = 60.0
# Whoever has no token decides how many refusals there are: the log tells of a few.
TOLD_PER_S = 1.0
TOLD_AT_ONCE = 50

Later = Callable[[], Awaitable[None]]
Enter = Callable[[Socket, dict[str, Any]], None]

log = logging.getLogger(__name__)


class Realtime:
    """
    Serves ``/sns``, ``/orders``, ``/chat`` and ``/notifications`` on an engine.

    Every CONNECT needs ``auth: {token, epoch?, last_seq?}`` and is answered by
    ``synced``; other fields of ``auth`` are the host's and not looked at. A
    namespace of the host needs the token too; its sockets are in the room of
    their user and follow no stream. Belongs to the event loop's thread.

    Args:
        revocations: Verifies tokens, and tells which count no more.
        limits: How often a user may send each client event.
        host_threads: Sync handlers of the host that run at a time.
        user_connections: Connections that one user may hold at a time.
        tails: Readers without a socket, told of what is committed.
        witness: Remembers sessions for the trace.
        nodes: Asks this node and the others what they see.
        sweep_s: Seconds between looks for what other processes committed.
        tracing: Follows events to their acks; None: nothing is followed.

    Attributes:
        sessions: The connections, for operators.
        reach: Seconds from the transaction of an event to its sockets here.
        acks: Seconds from the same to the first ack.
        connect_refusals: CONNECTs that were refused since the start, by code.
    """

    def __init__(
        self,
        engine: SocketServer,
        *,
        revocations: Revocations,
        store: Store,
        bus: Bus,
        notifications: Notifications,
        chat: Chat,
        typing: Typing,
        presence: Presence,
        activity: Activity,
        streams: Streams,
        limits: RateLimits,
        host_threads: int,
        user_connections: int = USER_CONNECTIONS,
        tails: Tails | None = None,
        witness: Witness | None = None,
        nodes: Nodes | None = None,
        sweep_s: float = SWEEP_S,
        tracing: Tracing | None = None,
    ) -> None:
        self._engine = engine
        self.connect_refusals: Counter[str] = Counter()
        self._drain = Drain(engine)
        self._wheel = TimerWheel()
        self._limits = limits
        self._shared = SharedLimits(limits, bus)
        self._events = ClientEvents(engine, limits, tracing)
        self._host = HostEvents(host_threads)
        self._forgetting: asyncio.TimerHandle | None = None
        self._telling = Pace(TOLD_PER_S, TOLD_AT_ONCE)
        self._told = 0.0
        self._untold = 0
        self._typing = typing
        self._presence = presence
        self._authenticator = Authenticator(
            revocations, self._wheel, user_connections=user_connections, on_came=self._on_came, on_left=self._on_left
        )
        self._tails = Tails(bus) if tails is None else tails
        self._revocations = revocations
        revocations.on_revoked = self._on_revoked
        self.sessions = Sessions(self._authenticator, self._tails)
        self._live = LiveStreams(engine, store, sweep_s=sweep_s, tracing=tracing)
        self._witness = witness = Witness() if witness is None else witness
        self.reach, self.acks = Histogram(), Histogram()
        self._nodes = Nodes(bus, is_shared=False) if nodes is None else nodes
        self._nodes.others = presence.count_nodes
        self._resumer = Resumer(self._live, store, bus.heard, witness)
        self._bus = bus
        bus.subscribe(self._on_events, self._on_ephemeral, self._on_wake, self._on_gap)
        for namespace in NAMESPACES:
            engine.on_connect(namespace)(self._on_connect)
            engine.on_ready(namespace)(self._on_ready)
            engine.on_disconnect(namespace)(self._on_disconnect)
        engine.on_connection_closed(lambda connection, _reason: self._authenticator.on_connection_closed(connection))
        control.register(
            self._events,
            streams,
            self._resumer,
            self._authenticator,
            witness=witness,
            delays=self.acks,
            tracing=tracing,
        )
        notification_events.register(self._events, notifications)
        chat_events.register(self._events, chat, typing)
        presence_events.register(self._events, presence)
        sns.register(self._events, activity, self._host)

    def asyncapi(self) -> dict[str, Any]:
        """Return the AsyncAPI document of the namespaces; those of the host are not in it."""
        return asyncapi_document(self._events.models)

    # The host's own

    def add_namespace(self, namespace: str) -> None:
        """
        Let users connect to a namespace of the host; without effect where they may already.

        Safe from any thread, also while clients are connected.

        Raises:
            Invalid: It is not ``/`` or ``/name``.
        """
        check_namespace(namespace)
        if namespace in self._engine.namespaces:
            return
        # Whole before clients can see it: on a half-made one they would be let in without a token.
        place = Namespace(namespace)
        place.connect = Handler(self._on_host_connect, 2)
        self._engine.namespaces.setdefault(namespace, place)
        control.register_reauth(self._events, namespace, self._authenticator)

    def add_host_handler(self, namespace: str, event: str, handler: HostFunction, *, limit: Rate | None = None) -> None:
        """
        Let a handler of the host take a client event, on any namespace.

        It gets what its signature asks for (see ``HostHandler``), and what it
        returns is the ack (see ``ack_of``); how calls are ordered and bounded is
        told by ``HostEvents``. ``publish_start`` on ``/sns`` comes with its arguments
        checked. Safe from any thread, also while clients are connected.

        Args:
            namespace: Where.
            event: Its name.
            handler: A function or other callable, sync or async.
            limit: How often a user may send it; None: as the handler is marked
                (see ``host_events.limit``), else as every event.

        Raises:
            Invalid: The namespace or the name can't be used, the server takes this event
                itself, it has a handler already, or the handler can't be called by position.
        """
        check_host_event(namespace, event)
        added = self._host.add(namespace, event, handler)
        self._limits.set_rate(namespace, event, lambda: limit or find_rate(handler))
        if (namespace, event) == HOST_TAKES:
            return  # its arguments are checked first

        async def call(socket: Socket, args: tuple[Any, ...]) -> Result:
            return await self._host.call(added, identity_of(socket).user_id, socket.id, args)

        self.add_namespace(namespace)
        self._events.take_raw(namespace, event, call)

    async def start(self) -> None:
        """Begin to look for what other processes commit; the store runs already."""
        self._live.start()
        self._presence.start()
        if self._limits.is_shared:
            self._shared.start()
        self._forget_idle()

    def _forget_idle(self) -> None:
        self._limits.forget_idle()
        # Not on the wheel: it would turn for this alone while nobody is connected.
        self._forgetting = asyncio.get_running_loop().call_later(FORGET_IDLE_S, self._forget_idle)

    async def drain(self, window_s: float = DRAIN_S) -> None:
        """Send the clients away over ``window_s`` seconds; they come back by themselves."""
        await self._drain.run(window_s)

    async def stop(self) -> None:
        """End all work, handlers that run within ``ANSWERS_S``; what is not sent stands in the log."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        await asyncio.gather(self._host.stop(ANSWERS_S), self._engine.finish_handlers(ANSWERS_S))
        self._typing.stop()
        self._shared.stop()
        await self._presence.stop()
        await self._nodes.stop()
        await self._resumer.stop()
        await self._live.stop()
        self._wheel.stop()

    def is_online(self, user_id: UserId) -> bool:
        """Return whether a user holds a connection to this node."""
        return self._authenticator.is_connected(user_id)

    def witnessed(self, notification_id: str, user_id: UserId, seq: int) -> dict[str, Any]:
        """Return what this node has seen of one notification, as ``Witness.tell`` does."""
        told = self._witness.tell(notification_id, user_id, seq, self._live.head(StreamKey(user_id, WITNESSED)))
        # A node that has gone took along what it had seen.
        return told | {"since": max(told["since"], self._presence.node_lost_at)}

    def close(self, user_id: UserId, reason: str) -> None:
        """Close the user's connections to this node; who comes back resumes, or is told to fetch the state."""
        self._authenticator.close(user_id, reason)
        self._tails.end(lambda reader: reader.user_id == user_id)

    @property
    def stats(self) -> dict[str, int]:
        """Return counts since the start, and users and streams connected now."""
        return {
            "users": self._authenticator.users + sum(not self.is_online(user) for user in self._tails.users),
            "streams": len(self._live),
            "replays": self._resumer.replays,
            "resyncs": self.resyncs.total(),
            "repairs": self._live.repairs,
        }

    @property
    def resyncs(self) -> Counter[str]:
        """Return how often clients were told to fetch anew since the start, by reason."""
        return self._resumer.resyncs + self._live.resyncs

    @property
    def replayed(self) -> Counter[str]:
        """Return how many events were sent from the log to who came back, by namespace."""
        return self._resumer.replayed

    @property
    def event_refusals(self) -> Counter[str]:
        """Return how many client events were refused since the start, by code."""
        return self._events.refusals

    def lags(self) -> dict[str, tuple[int, int, int]]:
        """Return how far acks are behind; see ``LiveStreams.lags``."""
        return self._live.lags()

    def _on_connect(self, socket: Socket, auth: dict[str, Any]) -> Later | None:
        return self._let_in(self._enter, socket, auth)

    def _enter(self, socket: Socket, auth: dict[str, Any]) -> None:
        cursor = parse_cursor(auth)
        self._authenticator.authenticate(socket.connection, auth.get("token"))
        socket.data = cursor
        self._drain.greet(socket)

    def _on_host_connect(self, socket: Socket, auth: dict[str, Any]) -> Later | None:
        return self._let_in(self._enter_host, socket, auth)

    def _enter_host(self, socket: Socket, auth: dict[str, Any]) -> None:
        socket.join(self._authenticator.authenticate(socket.connection, auth.get("token")))
        self._drain.greet(socket)

    def _let_in(self, enter: Enter, socket: Socket, auth: dict[str, Any]) -> Later | None:
        try:
            enter(socket, auth)
        except KeyUnknown as unknown:
            return partial(self._let_in_later, unknown, enter, socket, auth)
        except TocsinError as refusal:
            raise self._refused(socket, refusal) from None
        return None

    async def _let_in_later(self, unknown: KeyUnknown, enter: Enter, socket: Socket, auth: dict[str, Any]) -> None:
        await unknown.look()
        try:
            enter(socket, auth)
        except TocsinError as refusal:
            raise self._refused(socket, refusal) from None

    def _on_ready(self, socket: Socket) -> None:
        cursor: Cursor | None = socket.data
        stream = socket.data = self._resumer.begin(socket, socket.connection.data.user_id, cursor)
        if not socket.connected:
            # What it was sent was too much for a client that does not read: it has left already.
            self._live.leave(socket, stream)
            self._witness.left(socket.id, 0, "slow")
            return
        presence_events.greet(socket, self._presence)

    def _on_events(self, events: Sequence[StreamEvent]) -> None:
        self._live.on_events(events)
        self._tails.on_events(events)
        # Of the last one of a commit: a clock a commit costs nothing, one an event would.
        self.reach.observe(max(0, now_ms() - events[-1].created_at) / 1_000)
        self._presence.on_events(events)
        self._typing.on_events(events)

    def _on_wake(self, keys: Sequence[StreamKey]) -> None:
        self._live.on_wake(keys)
        self._tails.on_wake(keys)
        self._presence.on_wake(keys)

    def _on_gap(self) -> None:
        self._live.on_gap()
        self._tails.on_gap()
        self._presence.on_gap()

    def _on_ephemeral(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        others = (self._presence, self._shared, self._nodes)
        if not (
            any(one.on_ephemeral(namespace, payload) for one in others) or self._revocations.on_ephemeral(namespace)
        ):
            self._live.on_ephemeral(user_id, namespace, event, payload)

    def _on_revoked(self, revocations: Sequence[Revocation]) -> None:
        self._authenticator.cut(revocations)
        self._tails.end(self._revocations.is_revoked)

    def _on_came(self, user_id: UserId) -> None:
        # First, so that what is read of a user is read when others' events arrive.
        self._bus.follow(user_id)
        self._presence.came(user_id)

    def _on_left(self, user_id: UserId) -> None:
        self._bus.unfollow(user_id)
        self._typing.forget(user_id)
        self._presence.left(user_id)

    def _on_disconnect(self, socket: Socket, reason: str) -> None:
        # The socket keeps its stream: what it asked for before it left may still wait for its turn.
        if isinstance(socket.data, LiveStream):
            self._live.leave(socket, socket.data)
            if socket.namespace == WITNESSED:
                self._witness.left(socket.id, socket.data.head, reason)

    def _refused(self, socket: Socket, refusal: TocsinError) -> ConnectRefused:
        self.connect_refusals[refusal.code] += 1
        told = self._telling.spend(self._told, time.monotonic())
        if told < 0.0:
            self._untold += 1
        else:
            # The guide's reader looks for the word; the detail of a refusal never holds the token.
            more = f", {self._untold} more were before" if self._untold else ""
            log.info(
                "websocket: a client was refused on %s: %s%s",
                socket.namespace,
                refusal.detail,
                more,
                extra=named(socket.connection),
            )
            self._told, self._untold = told, 0
        return ConnectRefused(refusal.detail, data=refusal.problem())
