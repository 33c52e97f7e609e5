"""
``SocketIO``: what a Flask application holds of the server.

Publishing is in ``broadcast``; the server itself is ``tocsin.bootstrap``'s.
"""

import functools
import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from a2wsgi import WSGIMiddleware

from tocsin import bootstrap
from tocsin.application.drafts import copy_json
from tocsin.bridge import Receipt
from tocsin.domain.errors import Invalid, NotInitialized
from tocsin.domain.events import check_live_event, find_event_type
from tocsin.domain.user_id import parse_user_id
from tocsin.models import add_tables_of
from tocsin.realtime.host_events import limit
from tocsin.settings import Settings
from tocsin.websocket_server import broadcast
from tocsin.websocket_server.app_settings import check_keywords, read_settings

if TYPE_CHECKING:
    from flask import Flask

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
        self._handlers: list[tuple[str, str, Callable[..., Any]]] = []
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
        self._given |= check_keywords(settings)
        Settings(**self._given)  # what can't work is told here, not at the first request
        self.app = app
        app.extensions["tocsin"] = self
        app.socketio = self  # type: ignore[attr-defined]
        add_tables_of(app)
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
                service = bootstrap.Service(self.settings)
                for event, namespace, handler in self._handlers:
                    service.on(event, namespace)(self._in_context(handler))
                self._service = service
            return self._service

    def on(self, event: str, namespace: str = "/") -> Callable[[F], F]:
        """
        Take an event that clients emit: ``@socketio.on("publish_start", namespace="/sns")``.

        A function of one parameter gets ``data``, of two ``(user_id, data)``. A sync one runs in
        a thread and in the application's context, an async one on the server's loop. What it
        returns is added to the ack.

        Raises:
            Invalid: The event is one that the server itself takes.
        """

        def register(function: F) -> F:
            with self._lock:
                if self._service is not None:
                    self._service.on(event, namespace)(self._in_context(function))
                else:
                    self._handlers.append((event, namespace, function))
            return function

        return register

    def limit(self, rate: str) -> Callable[[F], F]:
        """
        Bound how often one user's clients may send an event: ``@socketio.limit("10 per minute")``.

        Stands with ``@socketio.on(…)``; more is refused with ``rate_limited``.

        Raises:
            Invalid: It is not a rate.
        """
        return limit(rate)

    def emit(self, event: str, data: Any = None, *, namespace: str = "/", to: int | str | None = None) -> Receipt:
        """
        Send an event to a user's devices, or (``to`` None) to everybody on the namespace, on any node.

        A registered event (``publish_success``, ``order_updated``, …) is durable and needs
        a user; any other name reaches only who is connected. Safe from any thread.

        Raises:
            Invalid: A registered event that has a function of its own, or that names no user;
                a name that the server or Socket.IO uses itself.
            PayloadTooBig: ``data`` exceeds 64 KiB as JSON.
        """
        kind = find_event_type(namespace, event)
        if kind is not None:
            if not kind.publishable:
                raise Invalid(f"'{event}' is the server's own: use {_FUNCTIONS[namespace]}")
            if to is None:
                raise Invalid(f"'{event}' is for one user: name it with to=")
            return broadcast.publish(namespace, event, to, data)
        check_live_event(namespace, event)
        user_id = None if to is None else parse_user_id(to, "to")
        bootstrap.bridge_here().emit(user_id, namespace, event, copy_json({"data": data})["data"])
        return Receipt.nothing()

    def run(self, app: "Flask | None" = None, host: str | None = None, port: int | None = None) -> None:
        """
        Serve the application and its sockets on one port, until a signal.

        Args:
            app: The application that ``init_websocket`` was given, or one to give now.
            host: Address to listen on; None: as the settings say, 127.0.0.1.
            port: Port to listen on, 0 for a free one; None: as the settings say, 8000.
        """
        if self.app is None and app is not None:
            self.init_app(app)
        for name, value in (("host", host), ("port", port)):
            if value is not None:
                self._given[name] = value
        self._settings = None
        views = WSGIMiddleware(self.app, workers=self.settings.host_threads)
        self.service.run(views, on_ready=lambda url: print(f"Tocsin on {url}", flush=True))  # noqa: T201

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
