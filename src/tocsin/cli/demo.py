"""``tocsin demo``: a server with two users and a page to play with, on this machine only."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from tocsin.adapters.jwt_tokens import JwtVerifier
from tocsin.bootstrap import Service, StartError
from tocsin.cli.demo_host import DemoHost, Plug
from tocsin.cli.logs import configure_logs
from tocsin.rest.demo import demo_routes
from tocsin.settings import Settings

# A visitor who stops the demo does not want to wait for clients to leave.
_DRAIN_S = 0.2


def demo(
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    state: Annotated[Path | None, typer.Option(help="Folder of its database and its secret.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier demos kept.")] = False,
) -> None:
    """
    Serve the demo page: two users, every event, and plugs to pull.

    It listens on 127.0.0.1 alone, because its page gives tokens to whoever
    opens it.
    """
    folder = _open_folder(state or _default_folder())
    try:
        if fresh:
            _forget(folder)
        secret = _secret(folder / "secret")
    except OSError as error:
        raise StartError(
            f"the demo's folder {folder} can't be used: {error.strerror}; --state names another"
        ) from error
    settings = _settings(folder, secret, port)
    configure_logs(settings)
    plug = Plug(JwtVerifier.from_settings(settings))
    service = Service(settings, plug)
    host = DemoHost(service, plug)
    service.rest.router.routes[:0] = demo_routes(host)

    def on_ready(url: str) -> None:
        host.start()
        typer.echo(f"Tocsin demo on {url} (data in {folder}, Ctrl-C stops it)")

    service.run(on_ready=on_ready)


def _settings(folder: Path, secret: str, port: int | None) -> Settings:
    given = {} if port is None else {"port": port}
    return Settings(
        host="127.0.0.1",
        database_url=f"sqlite:///{folder / 'demo.db'}",
        jwt_secret=SecretStr(secret),
        # Whatever this machine's environment says of a real server: these users and tokens are the demo's own.
        jwt_public_key=None,
        jwks_url=None,
        jwt_issuer=None,
        jwt_audience=None,
        cors_origins=(),
        drain_s=_DRAIN_S,
        **given,
    )


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tocsin-demo"


def _open_folder(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"the demo's folder {folder} can't be made: {error.strerror}") from error
    return folder.resolve()


def _forget(folder: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (folder / f"demo.db{suffix}").unlink(missing_ok=True)


def _secret(path: Path) -> str:
    """Return the secret of this folder's demo, made at its first start and readable by its owner alone."""
    if not path.exists() or not path.stat().st_size:
        # Whole or not at all: half a secret would end this start and every later one.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="secret-")
        part = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
            part.replace(path)
        except OSError:
            part.unlink()
            raise
    return path.read_text(encoding="ascii")
