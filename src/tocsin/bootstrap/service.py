"""A whole server in one object: what it is made of, its start, its drain and its stop."""

import asyncio
import gc
import logging
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy.engine import make_url
from starlette.types import ASGIApp

from tocsin import bridge
from tocsin.adapters.jwks import KeySet
from tocsin.adapters.jwt_tokens import JwtVerifier
from tocsin.application.erasure import Erasures
from tocsin.application.ports import TokenVerifier
from tocsin.application.rate_limits import RateLimits
from tocsin.application.relay import Relay
from tocsin.application.revocations import Revocations
from tocsin.application.rounds import Rounds
from tocsin.application.timekeeper import Timekeeper
from tocsin.bootstrap.core import Core, StartError, loop_factory, open_insight
from tocsin.bootstrap.figures import figures
from tocsin.bootstrap.listening import open_certificate, open_listener
from tocsin.bootstrap.metrics import open_metrics
from tocsin.bridge import Bridge
from tocsin.domain.ladder import Ladders
from tocsin.domain.rate import parse_rate
from tocsin.domain.stream import StreamEvent
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId
from tocsin.engine import Limits, SocketServer
from tocsin.engine.origins import allow_list
from tocsin.engine.siblings import Siblings
from tocsin.realtime import Realtime
from tocsin.rest import systemd
from tocsin.rest.app import RestApp
from tocsin.rest.forwarded import Forwarded
from tocsin.rest.front import STATE_KEY, Front
from tocsin.rest.lifespan import HostNotStarted, hosting
from tocsin.rest.limits import RequestLimits
from tocsin.rest.seat import Seat
from tocsin.rest.serve import HttpServer, raise_open_files_limit, url_of
from tocsin.rest.uses import Uses
from tocsin.settings import ANY_ORIGIN, Settings

_log = logging.getLogger(__name__)

# A look at the young objects stops every thread for as long as there are many: at 50,000 for 20 ms, at 5,000 for 2.
# What outlives it is looked at seldom, because few cycles die in a server at rest.
_GC_THRESHOLDS = (5_000, 100, 50)

F = TypeVar("F", bound=Callable[..., Any])


class Service(Core):
    """
    A whole server in one object. Belongs to the event loop that starts it.

    Args:
        settings: All settings.
        tokens: Verifies tokens on every door; None: as the settings say.

    Attributes:
        engine: The Socket.IO server, for host handlers and counters.
        rest: The FastAPI application, for more routes.
        revocations: Ends tokens before their time: ``await service.revocations.revoke_user(user_id)``.
        metrics: The numbers of the server: ``service.metrics.read()``.
        app: The ASGI application, for any server; under uvicorn ``ws=service.engine.websocket_protocol``
            makes WebSockets cheaper.
        seat: Of one of several processes on a port, which ``tocsin serve`` supervises; None: it is alone.

    Raises:
        SettingsError: There is no usable key for tokens.
    """

    def __init__(self, settings: Settings, tokens: TokenVerifier | None = None) -> None:
        super().__init__(settings)
        self._key_set: KeySet | None = None
        if tokens is None:
            tokens = verifier = JwtVerifier.from_settings(settings)
            self._key_set = verifier.key_set
        self.revocations = Revocations(tokens, self.kept_revocations, self.bus)
        self.tokens: TokenVerifier = self.revocations
        self.timekeeper = Timekeeper(self.store)
        self.notifications.on_scheduled = self.timekeeper.look
        allow_origin = allow_list(settings.cors_origins)
        self.engine = SocketServer(
            ping_interval=settings.ping_interval,
            ping_timeout=settings.ping_timeout,
            limits=Limits(connections_per_address=settings.limit_address_connections),
            allow_origin=allow_origin,
            trusted_proxies=settings.trusted_proxies,
        )
        limits = RateLimits(parse_rate(settings.limit_user_events), is_shared=settings.redis_url is not None)
        self.insight = open_insight(self)
        started_at = now_ms()
        self.realtime = Realtime(
            self.engine,
            revocations=self.revocations,
            store=self.store,
            bus=self.bus,
            notifications=self.notifications,
            chat=self.chat,
            typing=self.typing,
            presence=self.presence,
            activity=self.activity,
            streams=self.streams,
            tails=self.tails,
            limits=limits,
            host_threads=settings.host_threads,
            user_connections=settings.limit_user_connections,
            witness=self.insight.witness,
            nodes=self.insight.nodes,
            tracing=self.tracing,
        )
        self.insight.watch(self.realtime)
        self.insight.nodes.answer("figures", lambda _: figures(self.metrics.read, self.realtime, started_at))
        self.relay = Relay(
            self.deliveries,
            [*self.routes, self.channel_route],
            Ladders(settings.push_ladder),
            is_online=self._is_online,
            tracing=self.tracing,
        )
        self.erasures = Erasures(self.erasure_jobs, self.bus.wake, lambda user: self.realtime.close(user, "erased"))
        self.store.on_commit = self._pass_on
        self.rest = RestApp(
            Uses(
                store=self.store,
                bus=self.bus,
                tokens=self.tokens,
                notifications=self.notifications,
                activity=self.activity,
                chat=self.chat,
                encryption=self.encryption,
                presence=self.presence,
                devices=self.devices,
                web_push=self.web_push,
                insight=self.insight,
                fan_out=self.fan_out,
                preferences=self.preferences,
                templates=self.templates,
                channels=self.channels,
                streams=self.streams,
                tails=self.tails,
                erasures=self.erasures,
                exports=self.exports,
                revocations=self.revocations,
                limits=RequestLimits.from_settings(settings, limits, self.engine.proxies),
                is_accepting=lambda: self.is_accepting,
                allow_origin=allow_origin,
                expose=lambda accept: self.metrics.expose(accept),  # noqa: PLW0108 there are none yet
                metrics_access=settings.metrics,
                tracing=self.tracing,
            ),
            self.engine.proxies,
            self.realtime.asyncapi,
        )
        self._committed: Counter[str] = Counter()
        self.metrics = open_metrics(self, self._committed)
        self.app = self.asgi()
        self.is_accepting = False
        self.seat: Seat | None = None
        self._server: HttpServer | None = None
        self._is_stop_asked = False
        self._bridge: Bridge | None = None

    def on(self, event: str, namespace: str = "/", *, limit: str | None = None) -> Callable[[F], F]:
        """
        Register a handler of a client event, on any namespace; a decorator.

        A function of one parameter gets the data of the event, one of more gets
        ``(user_id, data, …)``, one of none nothing. The user is the token's. What it
        returns is acked: ``{ok: true, …}`` with an object, ``{ok: true, result}`` with
        other JSON; a TocsinError that it raises is acked as its problem.

        A sync handler runs in one of ``settings.host_threads`` threads; those of
        one socket run one after another, in the order of the wire. An async one runs
        on the service's loop. Safe from any thread, also while clients are connected.

        Args:
            event: Its name; events that the server takes itself can't be replaced,
                except for ``publish_start`` on ``/sns``.
            namespace: Where; clients need a token for every namespace.
            limit: How often a user may send it, as ``10 per minute``; None: as the function
                is marked, else as ``settings.limit_user_events`` says.

        Raises:
            Invalid: The event or the namespace can't be used, the event has a handler
                already, or the function can't be called by position.
        """
        rate = None if limit is None else parse_rate(limit)

        def register(function: F) -> F:
            self.realtime.add_host_handler(namespace, event, function, limit=rate)
            return function

        return register

    async def start(self) -> None:
        """
        Open the database and begin to take work.

        Raises:
            StartError: The database can't be opened or was written by a later release.
        """
        await super().start()
        if ANY_ORIGIN in self.settings.cors_origins:
            _log.warning(
                "cors_origins is *: EVERY WEB PAGE may use this server with a token that it gets hold of; "
                "name your own origins in production"
            )
        if self._key_set is not None:
            self._key_set.start()
        await self.revocations.start()
        await self.realtime.start()
        if bridge.find() is not None:
            _log.warning(
                "another service runs in this process: from here to its stop, sync functions such as "
                "broadcast_notification publish in this one, %s",
                make_url(self.settings.database_url).render_as_string(),
            )
        self._bridge = Bridge(asyncio.get_running_loop(), self)
        bridge.attach(self._bridge)
        self.relay.start()
        for rounds in self._rounds():
            rounds.start()
        await self.metrics.start(None if self.seat is None else (self.seat.folder, self.seat.number))
        self.is_accepting = True

    def _pass_on(self, events: Sequence[StreamEvent]) -> None:
        for event in events:
            self._committed[event.namespace] += 1
        self.bus.publish(events)
        self.relay.on_events(events)
        self.timekeeper.on_events(events)

    def _rounds(self) -> tuple[Rounds, ...]:
        return (self.fan_out.rounds, self.timekeeper.rounds, self.erasures.rounds, self.retention.rounds)

    def _is_online(self, user_id: UserId) -> bool | None:
        return self.realtime.is_online(user_id) or self.presence.is_elsewhere(user_id)

    async def drain(self, window_s: float | None = None) -> None:
        """
        Take no new clients and send those that are here away (delivery contract, 12).

        They come back by themselves, to another node or after the restart. REST
        is answered until ``stop``.

        Args:
            window_s: Seconds over which they leave; None: as the settings say.
        """
        self.is_accepting = False
        self.tails.close()
        await self.realtime.drain(self.settings.drain_s if window_s is None else window_s)

    async def stop(self) -> None:
        """Commit what was accepted and close; ``start`` may follow in a new Service only."""
        self.is_accepting = False
        await self.metrics.stop()
        await self.engine.close()
        self.rest.wheel.stop()
        await self.realtime.stop()
        for rounds in self._rounds():
            await rounds.stop()
        await self.relay.stop()
        await self.channel_route.sender.stop()
        # What is pushed would keep the bridge for a minute.
        await self.push.stop()
        # Not before: handlers of the host that still ran until here publish through it.
        if self._bridge is not None:
            await self._bridge.close()
            bridge.detach(self._bridge)
        await self.revocations.stop()
        if self._key_set is not None:
            await self._key_set.stop()
        await super().stop()

    def asgi(self, host: ASGIApp | None = None) -> Front:
        """
        Return one ASGI application of this service and a host's own.

        Its lifespan starts and stops the service. Any ASGI server serves it, WebSockets
        included; uvicorn's option ``ws=service.engine.websocket_protocol`` makes those of the service
        cheaper, and leaves those of the host alone.

        The host finds this service in the scope of its requests: ``scope["state"]["tocsin"]``,
        which is ``request.state.tocsin`` in FastAPI and Starlette.

        Args:
            host: Gets every path that is not of the API; its lifespan runs inside the service's.
        """
        return Front(
            self.rest,
            self.engine.asgi(),
            self.engine.path,
            service=self,
            start=self.start,
            stop=self.stop,
            host=host,
        )

    async def serve(self, host: ASGIApp | None = None, *, on_ready: Callable[[str], None] | None = None) -> None:
        """
        Listen, start, serve until a signal, drain and stop.

        Args:
            host: An application that gets every path that is not of the API; it starts
                after the service and stops before it. What ``asgi`` returned is served as well.
            on_ready: Called with the URL once requests are answered.

        Raises:
            StartError: The port is taken, the database or the certificate can't be used, the host can't start, or there
                should be several workers and this is none.
        """
        if isinstance(host, Front) and host.service is self:
            host = host.host
        state = {STATE_KEY: self}
        certificate = open_certificate(self.settings)
        listener = open_listener(self.settings) if self.seat is None else self._listen_among(self.seat)
        url = url_of(
            listener if self.seat is None else self.seat.listeners[self.seat.place],
            "http" if certificate is None else "https",
        )
        with listener:
            with systemd.extending() if self.seat is None else self.seat.starting():
                await self.start()
            try:
                async with hosting(host, state), nullcontext() if certificate is None else certificate.watched():
                    self._server = HttpServer(
                        self.app if host is None else self.asgi(Forwarded(host, self.engine.proxies)),
                        engine=self.engine,
                        drain=self.drain,
                        on_ready=lambda: on_ready and on_ready(url),
                        state=state,
                        seat=self.seat,
                        certificate=certificate,
                    )
                    self._server.should_exit = self._is_stop_asked
                    await self._server.serve(sockets=[listener])
            except HostNotStarted as error:
                raise StartError(f"the application did not start: {error}") from error
            finally:
                await self.stop()

    def _listen_among(self, seat: Seat) -> socket.socket:
        self.engine.siblings = Siblings(seat.folder, seat.number)
        return self.engine.siblings.listen()

    def stop_serving(self) -> None:
        """Make ``serve`` drain and return, as a signal does, also before it is ready. Safe from any thread."""
        self._is_stop_asked = True
        if self._server is not None:
            self._server.should_exit = True

    def run(self, host: ASGIApp | None = None, *, on_ready: Callable[[str], None] | None = None) -> None:
        """
        Make this process the server: ``serve`` in a new event loop, to its end.

        Sets the garbage collector of the process and its limit of open files for it.

        Args:
            host: As ``serve`` takes it.
            on_ready: Called with the URL once requests are answered.
        """

        def ready(url: str) -> None:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            # Of several workers the supervisor tells.
            if on_ready is not None and self.seat is None:
                on_ready(url)

        raise_open_files_limit()
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self.serve(host, on_ready=ready))


def build(settings: Settings | None = None, **overrides: Any) -> Service:
    """
    Return a service that isn't started yet.

    Args:
        settings: All settings; None reads the environment and ``.env``.
        overrides: Single settings by name, which beat everything else.

    Raises:
        SettingsError: A setting has a value that can't work.
    """
    if settings is None:
        return Service(Settings(**overrides))
    if overrides:
        settings = Settings(**({name: getattr(settings, name) for name in Settings.model_fields} | overrides))
    return Service(settings)
