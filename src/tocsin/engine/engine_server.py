"""
What all Engine.IO sessions of one server share: admission, the wheel, loop turns.

Knows no Socket.IO: that is ``server.py``, which builds on this. Sessions and
transports hold their own state; here is only what spans them.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tocsin.engine import request as rq
from tocsin.engine.asgi import EngineApp
from tocsin.engine.asgi_websocket import AsgiWebSocket
from tocsin.engine.limits import Limits, Pace
from tocsin.engine.origins import AllowOrigin, same_origin
from tocsin.engine.packets import EncodedPacket, encode_handshake
from tocsin.engine.polling import Polling
from tocsin.engine.proxies import PerAddress, TrustedProxies
from tocsin.engine.request import Refused, Request
from tocsin.engine.session import SHUTTING_DOWN, Session
from tocsin.engine.session_ids import session_id
from tocsin.engine.siblings import Siblings
from tocsin.engine.timer_wheel import TimerWheel
from tocsin.engine.tls_door import TlsDoor
from tocsin.engine.upgrade import FirstBytesDoor, HandedDoor, WebSocketDoor

if TYPE_CHECKING:
    from tocsin.engine.websocket import WebSocketTransport

_UNCORK_BATCH = 1024
# Connections that carry no session's WebSocket, for each session that an address may have. Who polls keeps two; a
# browser opens up to six for a page.
_BARE_A_SESSION = 4


class EngineServer:
    """
    An Engine.IO v4 server whose sessions are of one class. Belongs to one event loop.

    Args:
        session_class: Made once a session; receives its messages.
        path: Where clients connect, such as ``/engine.io/``.
        ping_interval: Seconds between pings.
        ping_timeout: Seconds that a client has to answer one.
        connect_timeout: Seconds until ``Session.confirm`` has to be called; None for never.
        limits: Bounds.
        allow_origin: Which web pages may connect.
        trusted_proxies: Addresses or networks whose forwarding headers are believed.

    Attributes:
        refuse_new: While true, handshakes are answered 503 and HTTP connections end with their next answer.
        siblings: The other server processes on the same port; None: there are none.
        sessions: By sid, those that live.
        turn: Number of the current loop turn; changes after anything was written in it.
        polling: ASGI application for the HTTP requests on ``path``.
        websocket: ASGI application for the WebSockets on ``path`` that ``websocket_protocol`` has not taken.
        loop: The event loop, known from the first connection on.
        time: Its clock.
    """

    loop: asyncio.AbstractEventLoop
    time: Callable[[], float]

    def __init__(
        self,
        session_class: type[Session],
        *,
        path: str = "/engine.io/",
        ping_interval: float = 25.0,
        ping_timeout: float = 20.0,
        connect_timeout: float | None = None,
        limits: Limits | None = None,
        allow_origin: AllowOrigin = same_origin,
        trusted_proxies: Iterable[str] = ("127.0.0.0/8", "::1"),
    ) -> None:
        self.path = path
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.connect_timeout = connect_timeout
        self.limits = limits or Limits()
        self.allow_origin = allow_origin
        self.proxies = TrustedProxies(trusted_proxies)
        self.refuse_new = False
        self.siblings: Siblings | None = None
        self._polls_ended = False
        self.sessions: dict[str, Session] = {}
        shortest = min(ping_interval, ping_timeout, connect_timeout or ping_interval)
        self.wheel = TimerWheel(max(0.005, min(0.25, shortest / 40)))
        self.first_due_s = min(ping_interval, connect_timeout or ping_interval)
        self.frame_pace = Pace(self.limits.frames_per_s, self.limits.frames_burst)
        self.turn = 1
        self.turn_ends = False
        self.corked: list[WebSocketTransport] = []
        self.polling = Polling(self)
        self.websocket = AsgiWebSocket(self)
        self._session_class = session_class
        self._counters: Counter[str] = Counter()
        self._handshake_pace = Pace(self.limits.handshakes_per_s, self.limits.handshakes_burst)
        self._handshakes = 0.0
        self._sessions_of = PerAddress(self.limits.connections_per_address)
        self._bare = PerAddress(self.limits.connections_per_address * _BARE_A_SESSION)
        self.upgrade_prefix = b"GET " + path.rstrip("/").encode()
        self._paths = {path.rstrip("/").encode(), path.rstrip("/").encode() + b"/"}
        self._is_bound = False

    def bind(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Belong to this loop, by default the running one; only the first call counts."""
        if not self._is_bound:
            self.loop = loop or asyncio.get_running_loop()
            self.time = self.loop.time
            self.wheel.bind(self.loop)
            self._is_bound = True

    def owns(self, path: bytes) -> bool:
        """Tell whether a request path, query cut off, is this server's."""
        return path in self._paths

    @property
    def stats(self) -> dict[str, int]:
        """
        Counters since the start, and ``connections``, which live now.

        ``opened``, ``closed:REASON``, ``refused:REASON`` (handshakes and what ended
        sessions that broke a rule), ``dropped:ephemeral``.
        """
        return {"connections": len(self.sessions), **self._counters}

    def census(self) -> dict[str, tuple[int, int, int]]:
        """
        Return by transport how many sessions live, how many are stalled, and the bytes that wait for them.

        Looks at every session: some milliseconds for a hundred thousand.
        """
        found = {"polling": [0, 0, 0], "websocket": [0, 0, 0]}
        for session in self.sessions.values():
            transport = session.transport
            row = found[transport.name]
            row[0] += 1
            if transport.is_stalled:
                row[1] += 1
                row[2] += transport.queued
        return {name: (row[0], row[1], row[2]) for name, row in found.items()}

    def count(self, label: str) -> None:
        """Add one to a counter."""
        self._counters[label] += 1

    # Admission.

    def check_version(self, request: Request) -> None:
        """Raise Refused unless the client speaks Engine.IO v4."""
        if request.query.get("EIO") != "4":
            raise Refused(400, rq.UNSUPPORTED_VERSION, "Unsupported protocol version", "protocol_version")

    def check_origin(self, request: Request) -> str | None:
        """
        Return the request's origin, None when it comes from no web page.

        Raises:
            Refused: That page may not talk to this server.
        """
        headers = request.headers
        origin = headers.get("origin")
        if origin is None:
            return None
        scheme, host = request.scheme, headers.get("host", "")
        if self.proxies.trusts(request.peer):
            scheme = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
            host = headers.get("x-forwarded-host", host).partition(",")[0].strip()
        if not self.allow_origin(origin, scheme, host):
            raise Refused(403, rq.FORBIDDEN, "Origin not allowed", "origin")
        return origin

    def admit(self, request: Request) -> str | None:
        """
        Judge a well-formed request for a new session; return the client's address.

        Raises:
            Refused: Draining, too many handshakes, or too many from this address.
        """
        forwarded_for = request.headers.get("x-forwarded-for", "")
        peer = request.peer
        address = self.proxies.client(peer, forwarded_for) if forwarded_for else peer
        if self.refuse_new:
            raise Refused(503, rq.BAD_REQUEST, "Server is shutting down", "draining", 5)
        state = self._handshake_pace.spend(self._handshakes, self.loop.time())
        if state < 0.0:
            raise Refused(503, rq.BAD_REQUEST, "Too many handshakes", "handshake_rate", 1)
        self._handshakes = state
        # A loopback or local peer that forwarded nothing is a proxy or the operator.
        is_nobodys = address == peer and self.proxies.trusts(peer)
        if not is_nobodys and not self._sessions_of.has_room(address):
            raise Refused(429, rq.BAD_REQUEST, "Too many connections", "address", 30)
        return address or None

    def came(self, peer: str) -> bool:
        """
        Count a connection that no session has until ``went``; return whether its address had room for it.

        Proxies bring many clients and are not counted.
        """
        return self.proxies.trusts(peer) or self._bare.add(peer)

    def went(self, peer: str) -> None:
        """Count such a connection no more: it has ended, or has become the WebSocket of a session."""
        if not self.proxies.trusts(peer):
            self._bare.remove(peer)

    def open(self, address: str | None, upgrades: tuple[str, ...]) -> tuple[Session, EncodedPacket]:
        """Make an admitted session; return it and its handshake, to be sent before ``start``."""
        sid = session_id()
        if self.siblings is not None:
            sid = self.siblings.sid(sid)
        session = self._session_class(self, sid, address)
        self.sessions[sid] = session
        self._counters["opened"] += 1
        self._sessions_of.add(address)
        return session, encode_handshake(sid, upgrades, self.ping_interval, self.ping_timeout, self.limits.max_payload)

    def forget(self, session: Session, reason: str) -> None:
        """Let go of a session that has ended."""
        del self.sessions[session.sid]
        self.wheel.cancel(session)
        self._counters[f"closed:{reason}"] += 1
        self._sessions_of.remove(session.remote_address)

    # Loop turns: what one turn brings for one WebSocket leaves in one write.

    def end_turn_soon(self) -> None:
        """Make ``_end_turn`` run after what runs now; once a turn for all connections."""
        self.turn_ends = True
        self.loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self.turn += 1
        corked = self.corked
        if len(corked) > _UNCORK_BATCH:
            # A write is 5 µs: ten thousand at once would stop everybody else.
            self.corked = corked[_UNCORK_BATCH:]
            del corked[_UNCORK_BATCH:]
            self.loop.call_soon(self._end_turn)
        else:
            self.corked = []
            self.turn_ends = False
        for transport in corked:
            transport.uncork()

    # End.

    async def close(self, spread_s: float = 0.0, grace_s: float = 0.0) -> None:
        """
        Refuse new sessions and close all others; JavaScript clients come back by themselves.

        Args:
            spread_s: Seconds over which the closing is spread.
            grace_s: Seconds more that handlers may take to answer what they are at.
        """
        self.refuse_new = True
        sessions = list(self.sessions.values())
        rounds = max(1, int(spread_s / 0.05))
        size = max(1, -(-len(sessions) // rounds))
        busy: list[Session] = []
        for start in range(0, len(sessions), size):
            busy += sessions[start : start + size]
            busy = [session for session in busy if not session.retire(SHUTTING_DOWN)]
            await asyncio.sleep(spread_s / rounds)
        until = time.monotonic() + grace_s
        while busy and time.monotonic() < until:
            await asyncio.sleep(0.02)
            busy = [session for session in busy if not session.retire(SHUTTING_DOWN)]
        for session in busy:
            session.close(SHUTTING_DOWN)

    def end_polls(self) -> None:
        """Close the polling sessions, once: uvicorn, which exits, would wait for their GETs."""
        if self._polls_ended:
            return
        self._polls_ended = self.refuse_new = True
        for session in list(self.sessions.values()):
            if session.transport_name == "polling":
                session.close(SHUTTING_DOWN)

    # Doors, for uvicorn and other ASGI servers.

    def websocket_protocol(self, config: Any, server_state: Any, app_state: dict[str, Any]) -> asyncio.Protocol:
        """
        Serve upgrades on ``path``, leave others to uvicorn: for its ``ws`` option.

        Without it ``asgi`` serves them, as on any ASGI server, with more work for each message.
        """
        self.bind()
        return WebSocketDoor(self, config, server_state, app_state)

    def http_protocol(
        self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None
    ) -> asyncio.Protocol:
        """
        Recognise upgrades on ``path`` before HTTP is parsed: for uvicorn's ``http`` option.

        Optional beside ``ws``; doubles the handshakes a second and bounds the head of
        every HTTP request (``Limits.max_header``, ``Limits.head_deadline_s``).
        """
        self.bind()
        return FirstBytesDoor(self, config, server_state, app_state)

    def tls_protocol(
        self,
        context: ssl.SSLContext,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> TlsDoor:
        """
        Serve TLS, and what ``http_protocol`` does inside: for uvicorn's ``http`` option, which is to have no ``ssl``.

        Its handshakes count for their addresses, which those of uvicorn do not.
        """
        self.bind()
        return TlsDoor(self, context, config, server_state, app_state)

    def handed_protocol(self, config: Any, server_state: Any, app_state: dict[str, Any], data: bytes) -> HandedDoor:
        """Serve a connection that a sibling handed over, and what it had read of it."""
        return HandedDoor(self, config, server_state, app_state, data)

    def asgi(self, app: Any = None) -> EngineApp:
        """Return an ASGI application: polling and WebSocket on ``path``, else ``app`` or 404."""
        return EngineApp(self, app)
