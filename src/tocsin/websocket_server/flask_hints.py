"""What a Flask application is told: that a process serves no sockets, and which of its routes are never reached."""

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from tocsin import bridge
from tocsin.domain.errors import NotFound
from tocsin.rest.app import is_api_path

if TYPE_CHECKING:
    from flask import Flask, Response

_log = logging.getLogger(__name__)

_ANSWER = NotFound(
    "this process serves no sockets: start the server with socketio.run(app) or `tocsin serve module:app`, "
    "and send /socket.io/, /js/websocket.js and the API there"
)


def answer_for_server(app: "Flask") -> None:
    """
    Let the application's 404 on a path of the server say where the server is.

    Only a process that does not serve sockets (``flask run``, gunicorn) comes to it; in
    the server's own these paths never reach the application.
    """

    @app.after_request
    def hint(response: "Response") -> "Response":
        from flask import request  # noqa: PLC0415 whoever gets here has it loaded

        # A view of the application has its own 404; a folder of static files at the root has none.
        is_missed = (request.endpoint or "static").rpartition(".")[2] == "static"
        is_ours = f"{request.path}/".startswith("/socket.io/") or is_api_path(request.path)
        # In the server's own process they are other paths, such as //socket.io/.
        if response.status_code == 404 and is_missed and is_ours and bridge.find() is None:
            response.set_data(orjson.dumps(_ANSWER.problem()))
            response.content_type = "application/problem+json"
            response.headers["Cache-Control"] = "no-store"
        return response


def warn_of_hidden_routes(app: "Flask", is_api: Callable[[str], bool]) -> None:
    """Log the application's own routes that the server's API hides, which ``is_api`` knows by their paths."""
    for rule in app.url_map.iter_rules():
        if is_api(rule.rule) or rule.rule.startswith("/socket.io/"):
            _log.warning("the application's route %s is never reached: the server answers this path itself", rule.rule)


def show_logs(level: str) -> None:
    """Show the server's log on stderr, unless somebody has said where logs go."""
    ours = logging.getLogger("tocsin")
    if logging.getLogger().handlers or ours.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    ours.addHandler(handler)
    ours.setLevel(level.upper())
