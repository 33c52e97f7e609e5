"""``tocsin serve``: the server in this process, until a signal."""

from typing import Annotated, Any

import typer

from tocsin import __version__
from tocsin.bootstrap import build
from tocsin.cli.logs import configure_logs
from tocsin.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """
    Serve REST, Socket.IO and the browser client on one port.

    SIGTERM drains: clients are sent away over ten seconds and come back by
    themselves, to another node or after the restart.
    """
    given: dict[str, Any] = {"host": host, "port": port}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    service = build(settings)
    configure_logs(settings)
    raise_open_files_limit()
    service.run(on_ready=lambda url: typer.echo(f"Tocsin {__version__} on {url}"))


def raise_open_files_limit() -> None:
    """Let this process have as many connections as the system allows it."""
    try:
        import resource  # noqa: PLC0415 there is none on Windows
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
