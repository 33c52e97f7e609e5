"""
``SocketIO``: what a Flask application holds of the server.

Publishing is in ``broadcast``; the server itself is ``tocsin.bootstrap``'s.
"""

import functools
import inspect
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from tocsin import __version__, bootstrap
from tocsin.application.activity import MAX_PAYLOAD_BYTES
from tocsin.application.drafts import encode_json
from tocsin.bridge import Receipt
from tocsin.domain.errors import Invalid, NotInitialized, PayloadTooBig
from tocsin.domain.events import check_live_event, find_event_type
from tocsin.domain.user_id import parse_user_id
from tocsin.models import add_tables_of
from tocsin.realtime.host_events import limit
from tocsin.rest.wsgi import WsgiHost
from tocsin.settings import Settings, SettingsError
from tocsin.websocket_server import broadcast
from tocsin.websocket_server.app_settings import check_keywords, explain_missing_secret, read_settings
from tocsin.websocket_server.development import serve_with_reloader, with_debugger
from tocsin.websocket_server.flask_hints import answer_for_server, show_logs, warn_of_hidden_routes
from tocsin.websocket_server.flask_socketio_names import check_emit_options, check_handler, missing_method
from tocsin.websocket_server.run_options import RunOptions, read_options

if TYPE_CHECKING:
    from flask import Flask

_log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


class SocketIO:
    """
    The server of a Flask application: sockets, REST and the application's own views.

    Args:
        app: The application; None: ``init_app`` or ``run`` gives it later.
        settings: Settings by name, or by the name that Flask-SocketIO has for them
            (``cors_allowed_origins``, ``message_queue``). They beat the environment.

    Attributes:
        app: The application, once it is given.

    Raises:
        SettingsError: There is no such setting, or its value can't work.
    """

    def __init__(self, app: "Flask | None" = None, **settings: Any) -> None:
        self.app: Flask | None = None
        self._given = check_keywords(settings)
        self._handlers: dict[tuple[str, str], Callable[..., Any]] = {}
        self._settings: Settings | None = None
        self._service: bootstrap.Service | None = None
        self._lock = threading.RLock()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: "Flask", **settings: Any) -> None:
        """
        Connect an application: sets ``app.socketio`` and ``app.extensions["tocsin"]``.

        Opens nothing and starts nothing.

        Raises:
            SettingsError: There is no such setting, or its value can't work.
        """
        # A factory may make several applications, one after the other: the last one counts.
        self._settings = self._service = None
        self._given |= check_keywords(settings)
        Settings(**self._given)  # what can't work is told here, not at the first request
        self.app = app
        app.extensions["tocsin"] = self
        app.socketio = self  # type: ignore[attr-defined]
        add_tables_of(app)
        answer_for_server(app)
        bootstrap.publish_with(lambda: self.settings)

    @property
    def settings(self) -> Settings:
        """
        Return the settings; the first look finds the application's database.

        Raises:
            NotInitialized: No application was given.
            SettingsError: A value can't work.
        """
        with self._lock:
            if self._settings is None:
                if self.app is None:
                    raise NotInitialized("call init_websocket(app) or socketio.init_app(app) first")
                self._settings = read_settings(self.app, self._given)
            return self._settings

    @property
    def service(self) -> "bootstrap.Service":
        """
        Return the server, which ``run`` starts; the first look builds it.

        Raises:
            NotInitialized: No application was given.
            SettingsError: There is no key for tokens, or a value can't work.
        """
        with self._lock:
            if self._service is None:
                settings = self.settings
                if not settings.has_token_key and self.app is not None:
                    explain_missing_secret(self.app)
                service = bootstrap.Service(settings)
                # As in Flask-SocketIO clients may be here, and hear `emit`, though nobody listens to them.
                service.realtime.add_namespace("/")
                for (namespace, event), handler in self._handlers.items():
                    service.on(event, namespace)(self._in_context(handler))
                self._service = service
            return self._service

    def renew(self) -> None:
        """Forget a service that has run, and its settings: the next look makes both anew, with the same handlers."""
        with self._lock:
            if self._service is not None and self._service.has_stopped:
                self._settings = self._service = None

    def on(self, event: str, namespace: str = "/") -> Callable[[F], F]:
        """
        Take an event that clients emit: ``@socketio.on("publish_start", namespace="/sns")``.

        A function of one parameter gets ``data``, of two ``(user_id, data)``. A sync one runs in
        a thread and in the application's context, an async one on the server's loop. What it
        returns is added to the ack.

        Raises:
            Invalid: The event is one that the server itself takes, or has a handler already.
        """

        def register(function: F) -> F:
            check_handler(event, namespace, function)
            with self._lock:
                known = self._handlers.get((namespace, event), function)
                if _name_of(known) != _name_of(function):
                    raise Invalid(f"{event!r} on {namespace} is handled by {_name_of(known)} already")
                if self._service is not None:
                    self._service.on(event, namespace)(self._in_context(function))
                # A factory that runs again makes its handlers again: the last application counts.
                self._handlers[namespace, event] = function
            return function

        return register

    def on_event(self, event: str, handler: Callable[..., Any], namespace: str = "/") -> None:
        """Take an event, as ``on`` does, without a decorator."""
        self.on(event, namespace)(handler)

    def event(self, function: F) -> F:
        """Take the event that is named as the function, on ``/``: ``@socketio.event``."""
        return self.on(function.__name__)(function)

    def limit(self, rate: str) -> Callable[[F], F]:
        """
        Bound how often one user's clients may send an event: ``@socketio.limit("10 per minute")``.

        Stands with ``@socketio.on(…)``; more is refused with ``rate_limited``.

        Raises:
            Invalid: It is not a rate.
        """
        return limit(rate)

    def emit(
        self, event: str, data: Any = None, *, namespace: str = "/", to: int | str | None = None, **options: Any
    ) -> Receipt:
        """
        Send an event to a user's devices, or (``to`` None) to everybody on the namespace, on any node.

        A registered event (``publish_success``, ``order_updated``, …) is durable and needs
        a user; any other name reaches only who is connected. Safe from any thread.

        Raises:
            Invalid: A registered event that has a function of its own, or that names no user;
                a name that the server or Socket.IO uses itself.
            PayloadTooBig: ``data`` exceeds 64 KiB as JSON.
        """
        check_emit_options(options)
        kind = find_event_type(namespace, event)
        if kind is not None:
            if not kind.publishable:
                raise Invalid(f"'{event}' is the server's own: use {_FUNCTIONS[namespace]}")
            if to is None:
                raise Invalid(f"'{event}' is for one user: name it with to=")
            return broadcast.publish(namespace, event, to, data)
        check_live_event(namespace, event)
        user_id = None if to is None else parse_user_id(to, "to")
        encoded = encode_json(data)
        if len(encoded) > MAX_PAYLOAD_BYTES:
            raise PayloadTooBig(f"data exceeds {MAX_PAYLOAD_BYTES} bytes")
        bootstrap.bridge_here().emit(user_id, namespace, event, orjson.loads(encoded))
        return Receipt.nothing()

    def run(
        self,
        app: "Flask | None" = None,
        host: str | None = None,
        port: int | None = None,
        *,
        debug: bool | None = None,
        use_reloader: bool | None = None,
        **options: Any,
    ) -> None:
        """
        Serve the application and its sockets on one port, until SIGINT or SIGTERM.

        A signal drains: clients are sent away over ten seconds and come back by
        themselves. In debug mode it ends at once, and so does every reload.

        Args:
            app: The application that ``init_websocket`` was given, or one to give now.
            host: Address to listen on; None: as the settings say, 127.0.0.1.
            port: Port to listen on, 0 for a free one; None: as the settings say, 8000.
            debug: Debug mode, with tracebacks in the browser and the reloader; None: the application's.
            use_reloader: Start again at each change of a source file; None: in debug mode.
            options: ``extra_files``, ``exclude_patterns``, ``reloader_interval``, ``reloader_type``,
                ``use_debugger`` and ``use_evalex``, as werkzeug has them.

        Raises:
            SystemExit: It can't start, which is told in one line; 2 where only another setting would help, else 1.
        """
        try:
            self._run(app, {"host": host, "port": port}, debug, use_reloader, options)
        except (bootstrap.StartError, SettingsError) as error:
            print(f"tocsin: {error}", file=sys.stderr)  # noqa: T201
            sys.exit(error.exit_status)

    def _run(
        self,
        app: "Flask | None",
        address: dict[str, Any],
        debug: bool | None,
        use_reloader: bool | None,
        options: dict[str, Any],
    ) -> None:
        if app is not None and app is not self.app:
            self.init_app(app)
        self.renew()
        if self.app is None:
            raise SettingsError("run() needs the application: socketio.run(app)")
        if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
            _log.warning("run() does nothing under the flask command: its server carries no sockets")
            return
        if debug is not None:
            self.app.debug = debug
        self._given |= {name: value for name, value in address.items() if value is not None}
        if self.app.debug:
            # Nobody wants to wait for clients to leave before a changed line is tried.
            self._given.setdefault("drain_s", 0.0)
        with self._lock:
            self._settings = None
            settings = self.settings
        if settings.async_mode != "threading":
            raise SettingsError(
                "SOCKETIO_ASYNC_MODE=asgi is for ASGI applications; views of Flask run in threads: use threading"
            )
        show_logs(settings.log_level)
        wanted = read_options(debug=self.app.debug, use_reloader=use_reloader, options=options)
        if wanted.use_reloader:
            serve_with_reloader(lambda: self._serve(wanted), self.stop, **wanted.reloader)
        else:
            self._serve(wanted)

    def _serve(self, wanted: RunOptions) -> None:
        app, service = self.app, self.service
        assert app is not None
        service.settings = self.settings  # one that was looked at before has not heard of run's arguments
        warn_of_hidden_routes(app, service.rest.is_api)
        views = with_debugger(app, service.settings.host, evalex=wanted.use_evalex) if wanted.use_debugger else app
        service.run(
            WsgiHost(views, threads=service.settings.host_threads),
            on_ready=lambda url: print(f"Tocsin {__version__} with {app.name} on {url}", flush=True),  # noqa: T201
        )
        _log.info("stopped")

    def stop(self) -> None:
        """Make ``run`` drain and return, as a signal does. Safe from any thread."""
        self.service.stop_serving()

    def sleep(self, seconds: float = 0) -> None:
        """Let this thread sleep, as in Flask-SocketIO."""
        time.sleep(seconds)

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Run a function in a thread that does not keep the process alive, as in Flask-SocketIO."""
        thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(missing_method(name) or f"'SocketIO' object has no attribute {name!r}")

    def _in_context(self, function: Callable[..., Any]) -> Callable[..., Any]:
        app = self.app
        assert app is not None
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def handle_async(*args: Any) -> Any:
                with app.app_context():
                    return await function(*args)

            return handle_async

        @functools.wraps(function)
        def handle(*args: Any) -> Any:
            with app.app_context():
                return function(*args)

        return handle


def _name_of(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__name__)}"


_FUNCTIONS = {
    "/chat": "broadcast_chat_message(from_user_id, to_user_id, message)",
    "/notifications": "broadcast_notification(user_id, data)",
}


def init_websocket(app: "Flask", **settings: Any) -> SocketIO:
    """
    Give a Flask application its server; ``app.socketio.run(app)`` starts it.

    In a process that serves no sockets nothing starts: the ``broadcast_*`` functions
    write to the database and wake the server.

    Args:
        app: The application.
        settings: As ``SocketIO`` takes them.

    Raises:
        SettingsError: There is no such setting, or its value can't work.
    """
    return SocketIO(app, **settings)
