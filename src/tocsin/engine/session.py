"""
One Engine.IO v4 session: what is legal when, the heartbeat, upgrade and end.

It survives the change from polling to WebSocket. Bytes, frames and HTTP live in
the transports (``websocket.py``, ``polling.py``), Socket.IO in ``connection.py``;
a subclass receives the messages.
"""

import asyncio
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from tocsin.engine.packets import PING, EncodedPacket, MalformedPacket

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer

TRANSPORT_CLOSE = "transport close"
TRANSPORT_ERROR = "transport error"
PING_TIMEOUT = "ping timeout"
PARSE_ERROR = "parse error"
FORCED_CLOSE = "forced close"
SHUTTING_DOWN = "server shutting down"
SLOW = "slow"
CONNECT_TIMEOUT = "connect timeout"
OVER_LIMIT = "over limit"


class Transport(Protocol):
    """
    What carries the packets of a session at the moment.

    Attributes:
        name: ``websocket`` or ``polling``, as on the wire.
    """

    name: ClassVar[str]

    def send(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Send at once when nothing waits, else in order; False when dropped or closed."""

    def defer(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """Send at the end of this loop turn, together with what else it brings."""

    def close(self, reason: str, *, is_asked_for: bool = False) -> None:
        """
        Flush, tell the client, end. The session has ended before.

        Args:
            reason: Why the session ended.
            is_asked_for: The client itself ended it with an Engine.IO ``close`` packet.
        """

    def abort(self) -> None:
        """End without flushing."""

    def pause_reading(self) -> None:
        """Take nothing more from the client."""

    def resume_reading(self) -> None:
        """Take again."""

    @property
    def is_stalled(self) -> bool:
        """Something waits that the client has not taken; ``Session.taken`` tells when it has."""

    @property
    def queued(self) -> int:
        """Bytes that wait because the client does not take them now."""


class _Gone:
    """The transport of a session that has none any more."""

    name: ClassVar[str] = "websocket"
    is_stalled = False
    queued = 0

    def send(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:  # noqa: ARG002 — nothing is sent
        return False

    defer = send

    def close(self, reason: str, *, is_asked_for: bool = False) -> None:
        pass

    def abort(self) -> None:
        pass

    pause_reading = resume_reading = abort


_GONE = _Gone()


@runtime_checkable
class Upgradable(Protocol):
    """A transport that can give its session to a WebSocket (v4, "Upgrade")."""

    def release(self) -> None:
        """End the pending poll, so that the client can confirm the upgrade."""

    def hand_over(self) -> list[EncodedPacket]:
        """Stop being the transport; return the packets that still wait, in order."""

    @property
    def is_polled(self) -> bool:
        """A GET waits."""


class Session:
    """
    One Engine.IO session; subclasses receive its messages. Not thread-safe.

    Attributes:
        sid: Engine.IO session id; a secret of this client.
        remote_address: Host of the client, behind trusted proxies; None on a Unix socket.
        transport: What carries it now.
        upgrading: The WebSocket that has probed while the client has not confirmed yet.
        closed: The session is over.
        in_flight: Handlers of a subclass that still work on what the client sent.
    """

    __slots__ = (
        "_awaiting_pong",
        "_connect_by",
        "_frames",
        "_pinged_at",
        "_server",
        "_taken",
        "closed",
        "due_tick",
        "in_flight",
        "remote_address",
        "sid",
        "transport",
        "upgrading",
    )

    def __init__(self, server: "EngineServer", sid: str, remote_address: str | None) -> None:
        self.sid = sid
        self.remote_address = remote_address
        self.closed = False
        self.upgrading: Transport | None = None
        self.due_tick = 0
        self.in_flight = 0
        self._server = server
        self._awaiting_pong = False
        self._pinged_at = 0.0
        self._connect_by = 0.0
        self._frames = 0.0
        self._taken: asyncio.Future[None] | None = None
        self.transport: Transport

    @property
    def transport_name(self) -> str:
        """``websocket`` or ``polling``."""
        return self.transport.name

    # What the application does.

    @property
    def is_unattended(self) -> bool:
        """Return whether it polls and nobody asks now: for a moment, or for good, which only time tells."""
        transport = self.transport
        return self.upgrading is None and isinstance(transport, Upgradable) and not transport.is_polled

    def send(self, packet: EncodedPacket, ephemeral: bool = False) -> bool:
        """
        Send one packet, after everything sent before.

        Returns:
            False when the session is over, when the packet was dropped as ephemeral,
            or when its client is so slow that this ended the session.
        """
        return not self.closed and self.transport.send(packet, ephemeral)

    def close(self, reason: str = FORCED_CLOSE) -> None:
        """
        Flush what was sent and close the transport; a JavaScript client comes back by itself.

        Args:
            reason: Given to the handlers and, on a WebSocket, to the client.
        """
        if self._end(reason):
            self.transport.close(reason)

    def retire(self, reason: str) -> bool:
        """Take nothing more; close, and return True, once what was taken is answered."""
        if self.in_flight and not self.closed:
            self.transport.pause_reading()
            return False
        self.close(reason)
        return True

    def abort(self, reason: str = FORCED_CLOSE) -> None:
        """Close the transport at once; what it has not taken yet is lost."""
        if self._end(reason):
            self.transport.abort()

    async def drained(self) -> None:
        """
        Return when the client has taken what was sent, or the session is over.

        Who has much to say and waits for this after each part never fills the
        bounded queue of a client that reads, however slowly.
        """
        # What this turn of the loop has corked leaves at its end.
        await asyncio.sleep(0)
        while not self.closed and self.transport.is_stalled:
            if self._taken is None:
                self._taken = self._server.loop.create_future()
            # Several may wait, and one of them be cancelled: none may own the future.
            await asyncio.wait((self._taken,))

    # What a subclass receives.

    def opened(self) -> None:
        """Take note that the session has begun; the handshake has been sent."""

    def message_received(self, text: str) -> None:
        """Take a text message; its Engine.IO type is still the first character."""

    def binary_received(self, data: bytes) -> None:
        """Take a binary message."""

    def ended(self, reason: str) -> None:
        """Take note, exactly once, that the session is over."""

    # What the transports do.

    def start(self, transport: Transport) -> None:
        """Begin with this transport; the caller has sent the handshake on it."""
        self.transport = transport
        server = self._server
        self._pinged_at = now = server.loop.time()
        if server.connect_timeout is not None:
            self._connect_by = now + server.connect_timeout
        server.wheel.schedule(self, server.first_due_s)
        self.opened()

    def packet_received(self, packet: str | bytes) -> None:
        """
        Take one Engine.IO packet that a transport of this session decoded.

        Whatever is wrong with it ends this session and raises nothing.

        Args:
            packet: Text with its type in front, or a binary message.
        """
        if self.closed:
            return
        if not self.take_frame():
            return
        try:
            if isinstance(packet, bytes):
                self.binary_received(packet)
            elif packet.startswith("4"):
                self.message_received(packet)
            elif packet == "3":
                self._awaiting_pong = False
            elif packet == "1":
                if self._end(TRANSPORT_CLOSE):
                    self.transport.close(TRANSPORT_CLOSE, is_asked_for=True)
            else:
                # The server opens and pings, an upgrade starts on another transport,
                # and no client has a reason to send a noop.
                self.malformed()
        except MalformedPacket:
            self.malformed()

    def take_frame(self) -> bool:
        """Count something that the client sent; False when it was too much and ended the session."""
        server = self._server
        frames = server.frame_pace.spend(self._frames, server.time())
        if frames < 0.0:
            server.count("refused:frame_rate")
            self.close(OVER_LIMIT)
            return False
        self._frames = frames
        return True

    def malformed(self) -> None:
        """End the session: the client broke the protocol."""
        self._server.count("refused:malformed")
        self.close(PARSE_ERROR)

    def lost(self, transport: Transport, reason: str) -> None:
        """Take note that a transport is gone; without effect unless it is the current one."""
        if transport is self.transport:
            self._end(reason)
            # The two would keep each other alive until the garbage collector comes by.
            self.transport = _GONE

    def taken(self) -> None:
        """Let ``drained`` look again: the transport got rid of what waited, or is another."""
        taken = self._taken
        if taken is not None:
            self._taken = None
            taken.set_result(None)

    def upgrade(self, transport: Transport) -> None:
        """Go on with this transport (v4, "Upgrade"); the caller moves what still waits."""
        self.transport = transport
        self.upgrading = None
        self.taken()

    def confirm(self) -> None:
        """Lift the connect timeout: the client has proved what it came for."""
        self._connect_by = 0.0

    @property
    def confirmed(self) -> bool:
        """True when no connect timeout is running (any more)."""
        return self._connect_by == 0.0

    def on_due(self, now: float) -> float | None:
        """Ping, or end what has timed out; called by the wheel."""
        if self.closed:
            return None
        server = self._server
        if self._awaiting_pong:
            due = self._pinged_at + server.ping_timeout
            if now >= due:
                self.close(PING_TIMEOUT)
                return None
        else:
            due = self._pinged_at + server.ping_interval
            if now >= due:
                # The time at which it was due, unless the loop lagged: then the client
                # must not pay for the delay.
                self._pinged_at = max(due, now - server.wheel.tick_s)
                self._awaiting_pong = True
                if not self.transport.send(PING):
                    # Too slow for it, which has ended the session.
                    return None
                due = self._pinged_at + min(server.ping_interval, server.ping_timeout)
        if self._connect_by:
            if now >= self._connect_by:
                server.count("refused:connect_timeout")
                self.close(CONNECT_TIMEOUT)
                return None
            due = min(due, self._connect_by)
        return due - now

    def has_expired(self, now: float) -> bool:
        """Tell whether a pong is overdue that the wheel, a tick late, has not noticed yet."""
        return self._awaiting_pong and now >= self._pinged_at + self._server.ping_timeout

    def _end(self, reason: str) -> bool:
        if self.closed:
            return False
        self.closed = True
        self._server.forget(self, reason)
        self.ended(reason)
        self.taken()
        return True
