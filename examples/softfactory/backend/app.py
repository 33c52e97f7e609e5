"""
The application: ``create_app()`` for Flask's commands, ``python -m backend.app`` to serve.

What it keeps (database, secret, logs) is in the folder SOFTFACTORY_STATE names,
else in ``instance/`` beside this package.
"""

import logging
import os
import secrets
from pathlib import Path

from flask import Flask, Response
from flask_migrate import Migrate

from .api import api
from .models import db
from .seed import seed
from .services import sns
from .websocket_server import init_websocket

ROOT = Path(__file__).parent.parent
# The page runs what this server serves and nothing else: a text that is markup stays harmless whatever shows it.
# Encryption of the chat is WebAssembly, which needs a word of its own; `eval` stays off.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app() -> Flask:
    """Return the application; it serves nothing until it is run."""
    state = Path(os.environ.get("SOFTFACTORY_STATE") or ROOT / "instance").resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = Flask(__name__, static_folder=ROOT / "web", static_url_path="", instance_path=str(state))
    app.config.update(
        # The tokens of the login and of the sockets have one secret, the database one address: this server's names win.
        SECRET_KEY=os.environ.get("TOCSIN_JWT_SECRET") or _secret(state / "secret"),
        SQLALCHEMY_DATABASE_URI=os.environ.get("TOCSIN_DATABASE_URL") or f"sqlite:///{state / 'softfactory.db'}",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    _log_to(state / "logs" / "websocket.log")
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"))

    socketio = init_websocket(app)
    app.socketio = socketio

    sns.register(app, socketio)
    app.register_blueprint(api)
    app.cli.add_command(seed)

    @app.get("/")
    def front() -> Response:
        return app.send_static_file("index.html")

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    return app


def _secret(path: Path) -> str:
    """Return this installation's secret, made at the first start and readable by its owner alone."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text(encoding="ascii")


def _log_to(path: Path) -> None:
    """Write the server's log to the console and to ``logs/websocket.log``, each line with the word ``websocket``."""
    path.parent.mkdir(exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s websocket %(name)s: %(message)s",
        handlers=[logging.StreamHandler(), logging.FileHandler(path, encoding="utf-8")],
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)


if __name__ == "__main__":
    app = create_app()
    with app.app_context():
        sns.resume(app)
    if hasattr(app, "socketio"):
        host = os.environ.get("TOCSIN_HOST") or "0.0.0.0"  # noqa: S104 the guide's
        app.socketio.run(app, host=host, port=int(os.environ.get("TOCSIN_PORT") or 8000))
