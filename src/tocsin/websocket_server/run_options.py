"""The options of ``SocketIO.run`` beyond host and port, as Flask-SocketIO and werkzeug name them."""

import logging
from dataclasses import dataclass, field
from typing import Any

from tocsin.settings import SettingsError

_log = logging.getLogger(__name__)

_RELOADER = {"extra_files": "extra_files", "exclude_patterns": "exclude_patterns"} | {
    "reloader_interval": "interval",
    "reloader_type": "reloader_type",
    "interval": "interval",
}
# They choose or guard werkzeug's server, which is not used.
_WITHOUT_EFFECT = ("allow_unsafe_werkzeug", "log_output", "threaded", "load_dotenv")
_TLS = ("ssl_context", "certfile", "keyfile", "ca_certs", "cert_reqs", "ssl_version", "ciphers", "server_side")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """
    What ``run`` was asked for.

    Attributes:
        debug: The application's debug mode.
        use_reloader: Start again at each change of a source file.
        use_debugger: Show tracebacks in the browser.
        use_evalex: Let that page evaluate code, behind its PIN.
        reloader: Options of werkzeug's reloader.
    """

    debug: bool
    use_reloader: bool
    use_debugger: bool
    use_evalex: bool = True
    reloader: dict[str, Any] = field(default_factory=dict)


def read_options(*, debug: bool, use_reloader: bool | None, options: dict[str, Any]) -> RunOptions:
    """
    Return the options; those without an effect here are told in one line of the log.

    Raises:
        SettingsError: One can't be had; the message names it.
    """
    left = dict(options)
    reloader = {_RELOADER[name]: left.pop(name) for name in list(left) if name in _RELOADER}
    for name, value in (left.pop("reloader_options", None) or {}).items():
        if name not in _RELOADER:
            raise SettingsError(f"reloader_options: there is no {name}")
        reloader[_RELOADER[name]] = value
    use_debugger, use_evalex = left.pop("use_debugger", debug), left.pop("use_evalex", True)
    idle = [name for name in _WITHOUT_EFFECT if left.pop(name, None) is not None]
    if idle:
        _log.info("%s: without effect, werkzeug's server is not used", ", ".join(idle))
    for name, value in left.items():
        if value is None:
            continue
        if name in _TLS:
            raise SettingsError(
                f"run({name}=…): set TOCSIN_TLS_CERTIFICATE and TOCSIN_TLS_KEY, or let a proxy before it end TLS"
            )
        raise SettingsError(f"run({name}=…): there is no such option; see the page 'migrate-from-flask-socketio'")
    return RunOptions(
        debug=debug,
        use_reloader=debug if use_reloader is None else use_reloader,
        use_debugger=bool(use_debugger),
        use_evalex=bool(use_evalex),
        reloader=reloader,
    )
