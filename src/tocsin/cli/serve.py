"""``tocsin serve``: the server, until a signal; alone, or with an application beside it, in one process or several."""

import faulthandler
import os
from typing import Annotated, Any

import typer

from tocsin import __version__
from tocsin.bootstrap import Service, build
from tocsin.cli.load_app import is_asgi, load_app
from tocsin.cli.logs import configure_logs
from tocsin.cli.workers import supervise
from tocsin.rest.front import Front
from tocsin.rest.seat import Seat
from tocsin.rest.serve import HttpServer
from tocsin.rest.wsgi import WsgiHost
from tocsin.settings import Settings
from tocsin.websocket_server import SocketIO


def serve(
    app: Annotated[
        str | None,
        typer.Argument(
            help="An ASGI or WSGI application to serve on the same port: module:app or module:create_app()."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    seat: Annotated[str | None, typer.Option(hidden=True, help="What a worker has of its supervisor.")] = None,
) -> None:
    """
    Serve REST, Socket.IO and the browser client on one port.

    An application that service.asgi() returned brings its service with it, and that service's settings.

    SIGTERM drains: clients are sent away over ten seconds and come back by
    themselves, to another node or after the restart. With TOCSIN_WORKERS above 1
    SIGHUP replaces the workers one by one.
    """
    given: dict[str, Any] = {"host": host, "port": port}
    given = {name: value for name, value in given.items() if value is not None}
    settings = Settings(**given)
    mine = None if seat is None else Seat.parse(seat)
    configure_logs(settings, worker=None if mine is None else mine.number)
    # Whoever ends a server whose loop hangs sends SIGABRT: then it says in which line.
    faulthandler.enable(2)
    # Docker calls a container unhealthy and leaves it at that. Somebody at a terminal may hold the loop in a debugger.
    HttpServer.ends_if_it_hangs = mine is None and not os.isatty(0)
    served = f" with {app}" if app else ""
    if settings.workers > 1 and mine is None:
        many = f", {settings.workers} workers,"
        status = supervise(settings, lambda url: typer.echo(f"Tocsin {__version__}{served}{many} on {url}"))
        raise typer.Exit(status)
    application = None if app is None else load_app(app)
    socketio = getattr(application, "extensions", {}).get("tocsin") if hasattr(application, "wsgi_app") else None
    if isinstance(socketio, SocketIO):
        # Its handlers, and its settings in app.config, are what the application is about.
        socketio.service.seat = mine
        socketio.run(application, host, port, debug=False)
        return
    if isinstance(application, Front):
        service, beside = application.service, application.host
        service.settings = service.settings.model_copy(update=given)
        if mine is None:
            configure_logs(service.settings)
    else:
        service = build(settings)
        beside = None if application is None else _hosted(application, str(app), service)
    service.seat = mine
    service.run(beside, on_ready=lambda url: typer.echo(f"Tocsin {__version__}{served} on {url}"))


def _hosted(application: Any, name: str, service: Service) -> Any:
    if is_asgi(application, name):
        return application
    return WsgiHost(application, threads=service.settings.host_threads)
