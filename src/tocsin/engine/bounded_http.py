"""Plain HTTP by uvicorn, with bounds on what a client may make it hold that uvicorn lacks."""

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tocsin.engine.proxies import peer_of
from tocsin.engine.timer_wheel import Timer
from tocsin.engine.unread import has_unread

if TYPE_CHECKING:
    from tocsin.engine.engine_server import EngineServer


class BoundedHttp(HttpToolsProtocol):
    """
    uvicorn's HTTP/1.1 with bounds on what a client may make it hold, and for how long.

    A request head is bounded in size and time. A client that neither goes on with the
    request it has begun nor takes the answer it has asked for is cut. Trailers are dropped:
    merged into the headers, as uvicorn would, they are fields that no proxy has checked.
    """

    def __init__(self, server: "EngineServer", config: Any, state: Any, app_state: dict[str, Any]) -> None:
        super().__init__(config, state, app_state, server.loop)
        self.due_tick = 0
        self._engine = server
        self._head = 0
        # Bytes since the parser last got anywhere.
        self._trickled = 0
        self._is_head = True
        self._is_upgraded = False
        # The request being answered; uvicorn's ``cycle`` is the newest, which may wait behind it.
        self._answering: Any = None
        # Bytes that waited at the last look at a client that does not take its answer.
        self._waiting = 0
        self._stall: Timer | None = None
        self._peer = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let ``pause_writing`` tell whenever the kernel takes no more, as on a WebSocket."""
        super().connection_made(transport)
        # The door that has let it in has left.
        self._peer = peer_of(transport)
        self._engine.came(self._peer)
        if transport.get_extra_info("sslcontext") is None:
            transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Parse; bound what comes in many reads and never gets anywhere."""
        self._trickled += len(data)
        super().data_received(data)
        if self.due_tick:
            # A field is only given to on_header when it is whole, which an endless one never is.
            if self._trickled > self._engine.limits.max_header:
                self._cut()
        elif self._is_idle:
            # Empty lines, which may come before a request, have ended uvicorn's own keep-alive.
            self._engine.wheel.schedule(self, self._engine.limits.head_deadline_s)

    def on_message_begin(self) -> None:
        """Start counting."""
        self._head = self._trickled = 0
        self._is_head = True
        self._engine.wheel.schedule(self, self._engine.limits.head_deadline_s)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a field."""
        self._count(len(name) + len(value))
        if self._is_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on with the body."""
        self._is_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Give the client time for the next part: a slow link is not a dead one."""
        self._trickled = 0
        self._engine.wheel.schedule(self, self._engine.limits.head_deadline_s)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Lift the deadline."""
        self._trickled = 0
        self._engine.wheel.cancel(self)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Make way; not while an answer is under way, which would never end and run into the WebSocket."""
        if self._is_answering:
            self._cut()
            return
        self._is_upgraded = True
        self._lift()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Watch whether the client takes its answer."""
        super().pause_writing()
        self._waiting = self.transport.get_write_buffer_size()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Stop watching: it has taken all."""
        self._lift_stall()
        super().resume_writing()

    def on_due(self, now: float) -> float | None:  # noqa: ARG002 — an Entry gets the time
        """Cut a client that does not go on with its request."""
        if self.flow.read_paused:
            # The application takes no more at the moment: the client can't go on.
            return self._engine.limits.head_deadline_s
        self._cut()
        return None

    def shutdown(self) -> None:
        """Close when what was asked is answered; called by uvicorn when it exits."""
        self._engine.end_polls()
        # The answer to a request that waits to be read says that it is the last.
        if self._is_answering or not has_unread(self.transport):
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Lift the deadlines; let whoever answers know that nobody listens."""
        self._lift()
        if self._is_answering:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        if self._engine.refuse_new:
            # Whoever keeps the connection would be in the middle of a request when the process ends.
            cycle.default_headers = [*cycle.default_headers, (b"connection", b"close")]
        super()._start_asgi_task(cycle, app)

    @property
    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    @property
    def _is_idle(self) -> bool:
        return not (
            self._is_answering or self.timeout_keep_alive_task or self._is_upgraded or self.transport.is_closing()
        )

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > self._engine.limits.max_header:
            self._engine.count("refused:header")
            raise ValueError("request head too big")

    def _watch_stall(self) -> None:
        self._stall = self._engine.wheel.call_later(self._engine.limits.head_deadline_s, self._check_stall)

    def _check_stall(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < self._waiting:
            self._waiting = waiting
            self._watch_stall()
        else:
            self._engine.count("refused:slow")
            self.transport.abort()

    def _lift_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _lift(self) -> None:
        self._engine.wheel.cancel(self)
        self._lift_stall()
        self._engine.went(self._peer)
        self._peer = ""

    def _cut(self) -> None:
        self._engine.count("refused:header")
        self.transport.abort()
