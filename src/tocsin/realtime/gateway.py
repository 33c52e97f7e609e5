"""
The four namespaces on an engine: users in, their streams out.

This module only wires: who may connect is ``authenticate``, what a socket is
sent is ``resume`` and ``live_streams``, what it may ask is in the modules of
the namespaces.
"""

import logging
from typing import Any

from tocsin.application.activity import Activity
from tocsin.application.chat import Chat
from tocsin.application.notifications import Notifications
from tocsin.application.ports import Bus, Store, TokenVerifier
from tocsin.application.streams import Streams
from tocsin.domain.errors import TocsinError
from tocsin.domain.events import NAMESPACES
from tocsin.engine import Connection, ConnectRefused, Socket, SocketServer, TimerWheel
from tocsin.realtime import chat as chat_events
from tocsin.realtime import control, sns
from tocsin.realtime import notifications as notification_events
from tocsin.realtime.authenticate import USER_CONNECTIONS, Authenticator
from tocsin.realtime.drain import DRAIN_S, drain
from tocsin.realtime.live_streams import SWEEP_S, LiveStream, LiveStreams
from tocsin.realtime.resume import Cursor, Resumer, parse_cursor

log = logging.getLogger(__name__)


class Realtime:
    """
    Serves ``/sns``, ``/orders``, ``/chat`` and ``/notifications`` on an engine.

    Every CONNECT needs ``auth: {token, epoch?, last_seq?}`` and is answered by
    ``synced``; other fields of ``auth`` are the host's and not looked at.
    Belongs to the event loop's thread.

    Args:
        user_connections: Connections that one user may hold at a time.
        sweep_s: Seconds between looks for what other processes committed.

    Attributes:
        host_handlers: The host's own handlers, by namespace and event:
            ``("/sns", "publish_start")`` is the one that is asked for.
    """

    def __init__(
        self,
        engine: SocketServer,
        *,
        tokens: TokenVerifier,
        store: Store,
        bus: Bus,
        notifications: Notifications,
        chat: Chat,
        activity: Activity,
        streams: Streams,
        user_connections: int = USER_CONNECTIONS,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self.host_handlers: dict[tuple[str, str], sns.HostHandler] = {}
        self._engine = engine
        self._wheel = TimerWheel()
        self._authenticator = Authenticator(tokens, self._wheel, user_connections=user_connections)
        self._live = LiveStreams(engine, store, sweep_s=sweep_s)
        self._resumer = Resumer(self._live, store)
        bus.subscribe(self._live.on_events, self._live.on_ephemeral, self._live.on_wake, self._live.on_gap)
        for namespace in NAMESPACES:
            engine.on_connect(namespace)(self._on_connect)
            engine.on_ready(namespace)(self._on_ready)
            engine.on_disconnect(namespace)(self._on_disconnect)
        engine.on_connection_closed(self._on_connection_closed)
        control.register(engine, streams, self._resumer, self._authenticator)
        notification_events.register(engine, notifications)
        chat_events.register(engine, chat)
        sns.register(engine, activity, self.host_handlers)

    async def start(self) -> None:
        """Begin to look for what other processes commit; the store runs already."""
        self._live.start()

    async def drain(self, window_s: float = DRAIN_S) -> None:
        """Send the clients away over ``window_s`` seconds; they come back by themselves."""
        await drain(self._engine, window_s)

    async def stop(self) -> None:
        """End all work; what is not sent stands in the log."""
        await self._resumer.stop()
        await self._live.stop()
        self._wheel.stop()

    @property
    def stats(self) -> dict[str, int]:
        """Return counts since the start, and users and streams connected now."""
        return {
            "users": self._authenticator.users,
            "streams": len(self._live),
            "replays": self._resumer.replays,
            "resyncs": self._resumer.resyncs + self._live.resyncs,
            "repairs": self._live.repairs,
        }

    def _on_connect(self, socket: Socket, auth: dict[str, Any]) -> None:
        try:
            cursor = parse_cursor(auth)
            self._authenticator.authenticate(socket.connection, auth.get("token"))
        except TocsinError as refusal:
            raise ConnectRefused(refusal.detail, data=refusal.problem()) from None
        socket.data = cursor

    def _on_ready(self, socket: Socket) -> None:
        cursor: Cursor | None = socket.data
        stream = self._resumer.begin(socket, socket.connection.data.user_id, cursor)
        if socket.connected:
            socket.data = stream
        else:
            # What it was sent was too much for a client that does not read: it has left already.
            self._live.leave(socket, stream)

    def _on_disconnect(self, socket: Socket, _reason: str) -> None:
        stream, socket.data = socket.data, None
        if isinstance(stream, LiveStream):
            self._live.leave(socket, stream)

    def _on_connection_closed(self, connection: Connection, _reason: str) -> None:
        self._authenticator.on_connection_closed(connection)
