"""
The process's HTTP server: its listening socket, uvicorn, and a stop without loss.

What is served and what draining means is handed in; signals mean "stop" here
and nowhere else.
"""

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import FrameType
from typing import Any, ClassVar, cast

import uvicorn
from starlette.types import ASGIApp

from tocsin.engine import SocketServer
from tocsin.rest import systemd
from tocsin.rest.seat import Seat
from tocsin.rest.tls import Certificate

_log = logging.getLogger(__name__)

BACKLOG = 2_048
# What is left of the 30 s of the delivery contract (12) after the drain.
LAST_ANSWERS_S = 5
KEEP_ALIVE_S = 30
# No turn of a loop that is only busy takes as long as all the beats; uvicorn ticks ten times a second.
BEAT_S = 5.0
SILENT_BEATS = 12


def listen(host: str, port: int) -> socket.socket:
    """
    Return a listening socket; port 0 takes a free one.

    Raises:
        OSError: The address is taken, not this machine's, or not allowed.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    # A dual-stack socket would hide that 0.0.0.0 and :: are two choices.
    listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the URL under which a browser on this machine finds the server."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def raise_open_files_limit() -> None:
    """Let this process have as many connections as the system allows it."""
    try:
        import resource  # noqa: PLC0415 there is none on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class HttpServer(uvicorn.Server):
    """
    uvicorn on one listening socket, which drains before it stops.

    The first SIGINT, SIGTERM or SIGHUP (unless that is ignored) drains, the second ends the drain at once.
    Signals are taken in the main thread only; ``should_exit`` stops it anywhere, and so
    does the end of the main thread.

    Args:
        app: The ASGI application; its lifespan is not run.
        engine: Its protocols take the connections.
        drain: Awaited after the signal and before the listener closes.
        on_ready: Called once requests are answered and signals are taken, before systemd is told.
        state: What the application's lifespan, which has run already, hands to its requests.
        seat: Of one of several processes, which accepts from the seat's sockets; None: it is alone.
        certificate: What it serves TLS with; None: plain HTTP.

    Attributes:
        ends_if_it_hangs: Whether the process ends when its loop has not turned for a minute in which it could have, and
            says where it was. For a process that is nothing but a server, and that nobody else watches.
    """

    ends_if_it_hangs: ClassVar[bool] = False

    def __init__(
        self,
        app: ASGIApp,
        *,
        engine: SocketServer,
        drain: Callable[[], Awaitable[None]],
        on_ready: Callable[[], None],
        state: dict[str, Any] | None = None,
        seat: Seat | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        protocol = engine.http_protocol if certificate is None else partial(engine.tls_protocol, certificate.context)
        config = uvicorn.Config(
            app,
            http=cast("Any", protocol),
            ws=cast("Any", engine.websocket_protocol),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Forwarding headers are judged by the engine's rule, for all doors alike.
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LAST_ANSWERS_S,
        )
        super().__init__(config)
        self._drain = drain
        self._on_ready = on_ready
        self._state = state or {}
        self._draining: asyncio.Future[None] | None = None
        self._engine = engine
        self._seat = seat
        # By place of the seat; None until it listens.
        self._accepting: dict[int, asyncio.Server | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_ticked = True
        self._is_over = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, then tell so: the caller, and the service manager or the supervisor."""
        self.lifespan.state.update(self._state)
        await super().startup(sockets)
        if self._seat is not None:
            assert self._engine.siblings is not None
            self._engine.siblings.take(self._take_over)
            self._accepting[self._seat.place] = None
            await self._accept_from(self._seat.place)
        self._on_ready()
        if self._seat is not None:
            self._seat.follow(self._do)
        elif threading.current_thread() is threading.main_thread():
            systemd.ready()
        if self.ends_if_it_hangs:
            threading.Thread(target=self._watch, name="tocsin-watch", daemon=True).start()

    def _watch(self) -> None:
        """End a process whose loop hangs. Beats are counted, for one that was paused has missed a single one."""
        silent = 0
        while not self._is_over.wait(BEAT_S):
            silent = 0 if self._has_ticked else silent + 1
            self._has_ticked = False
            if silent == SILENT_BEATS:
                _log.critical("the event loop has not turned for %.0f s; it is here:", silent * BEAT_S)
                faulthandler.dump_traceback()
                os._exit(1)

    async def on_tick(self, counter: int) -> bool:
        """Tell whether to stop: also when the main thread has ended, after which Python gives threads no work."""
        self._has_ticked = True
        return await super().on_tick(counter) or not threading.main_thread().is_alive()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, finish what is being answered, close."""
        self._is_over.set()
        if self._seat is not None:
            self._seat.close_listeners()
        if self._engine.siblings is not None:
            # A session that goes over to a WebSocket now would only be sent away.
            self._engine.siblings.close()
        self._draining = asyncio.ensure_future(self._drain())
        if self.force_exit:
            # The second signal came with the first. Once it has begun: all are to hear that they are sent away.
            asyncio.get_running_loop().call_soon(self._draining.cancel)
        try:
            await self._draining
        except asyncio.CancelledError:
            _log.warning("the drain was cut short by a second signal")
        except Exception:  # noqa: BLE001 logged
            # Whatever fails here must not keep what was accepted from being committed.
            _log.exception("the drain failed")
        for server in self.servers:
            server.close()
        # Who was accepted in this turn of the loop is registered in the next, and would hold up the end.
        await asyncio.sleep(0)
        await super().shutdown(sockets)

    # One of several processes.

    def _do(self, word: str) -> None:
        """Do what the supervisor says (see ``Seat.follow``)."""
        verb, _, place = word.partition(" ")
        if verb == "accept":
            if self._accepting.setdefault(int(place)) is None:
                self._run(self._accept_from(int(place)))
        elif verb == "release":
            self._release(int(place))
        elif not self.should_exit:
            # The others take what connects from now on. Without a supervisor there may be none: all is answered.
            for held in list(self._accepting) if word else ():
                self._release(held)
            self.should_exit = True

    async def _accept_from(self, place: int) -> None:
        assert self._seat is not None
        if self.should_exit:
            return
        # A server closes its socket, and the seat's is needed again.
        listener = self._seat.listeners[place].dup()
        server = await asyncio.get_running_loop().create_server(self._protocol, sock=listener, backlog=BACKLOG)
        if self._accepting.get(place, server) is not None:
            # Given back meanwhile, or asked for twice.
            server.close()
            return
        self._accepting[place] = server
        self.servers.append(server)

    def _release(self, place: int) -> None:
        server = self._accepting.pop(place, None)
        if server is not None:
            server.close()

    def _protocol(self) -> asyncio.Protocol:
        return self._engine.http_protocol(self.config, self.server_state, self.lifespan.state)

    def _take_over(self, connection: socket.socket, data: bytes) -> None:
        def protocol() -> asyncio.Protocol:
            return self._engine.handed_protocol(self.config, self.server_state, self.lifespan.state, data)

        async def adopt() -> None:
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)

        self._run(adopt())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take SIGINT and SIGTERM while serving; a stop that was asked for is no failure afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        # SIGHUP is a reload by whoever starts it again, or the end of its terminal; under nohup it is neither.
        hangs_up = signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        taken = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hangs_up else ()))
        for number in taken:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in taken:
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 uvicorn's signature
        """Stop; when already stopping, stop waiting."""
        if self.should_exit:
            self.force_exit = True
            if self._draining is not None:
                self._draining.cancel()
        self.should_exit = True
