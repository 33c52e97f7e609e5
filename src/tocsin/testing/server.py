"""The real server in a thread of the tests' process, with the application that is tested."""

import asyncio
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from starlette.types import ASGIApp

from tocsin.adapters.jwt_tokens import issue_token
from tocsin.bootstrap import Service, build
from tocsin.bootstrap.core import loop_factory
from tocsin.domain.user_id import parse_user_id
from tocsin.rest.front import Front
from tocsin.rest.wsgi import WsgiHost

if TYPE_CHECKING:
    from tocsin.websocket_server import SocketIO

START_S = 30.0
STOP_S = 30.0
_HERE = {"host": "127.0.0.1", "port": 0, "drain_s": 0.0}


class LiveServer:
    """
    Serves from the start of a ``with`` block to its end, on a free port of 127.0.0.1; stops without a drain.

    Args:
        app: A Flask application that ``init_websocket`` was given, what ``service.asgi(…)`` returned, or any other
            ASGI application; None: REST and sockets alone. A service runs once: what ``asgi`` returned is for one
            server, the other kinds may be served again.
        settings: Settings by name. They beat the environment, and are not for an application that has its own.

    Attributes:
        url: Where it listens, without a slash at the end.
        service: The ``Service``; its coroutines belong to its loop, run them by ``call``.
    """

    def __init__(self, app: Any = None, **settings: Any) -> None:
        self.url = ""
        self.service, self._host = _service_of(app, settings)
        self.service.settings = self.service.settings.model_copy(update=_HERE)
        self._loop: asyncio.AbstractEventLoop
        self._error: BaseException | None = None
        self._is_settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-live-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_settled.wait(START_S):
            raise RuntimeError(f"the server did not start within {START_S:g} s")
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.service.stop_serving()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            raise RuntimeError(f"the server did not stop within {STOP_S:g} s")
        if self._error is not None and error is None:
            raise self._error

    def token(self, user_id: int | str, scope: str = "", *, ttl_s: float = 3600) -> str:
        """
        Return a token of a user that this server accepts, made with its ``jwt_secret``.

        Args:
            user_id: The user.
            scope: ``publish`` for a back end, ``admin`` for an operator, both divided by a space; empty for a user.
            ttl_s: Seconds until it ends.
        """
        return issue_token(self.service.settings, parse_user_id(user_id), ttl_s=ttl_s, scope=scope)

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine of the service on its loop and return the result: ``server.call(service.publish(…))``."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(STOP_S)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                self._loop = runner.get_loop()
                runner.run(self.service.serve(self._host, on_ready=self._on_ready))
        except BaseException as error:  # noqa: BLE001 raised in the test's thread
            self._error = error
        finally:
            self._is_settled.set()

    def _on_ready(self, url: str) -> None:
        self.url = url
        self._is_settled.set()


def _service_of(app: Any, settings: dict[str, Any]) -> tuple[Service, ASGIApp | None]:
    # Flask is not imported for it: whoever has no Flask gets here as well.
    socketio: SocketIO | None = getattr(app, "extensions", {}).get("tocsin")
    if socketio is not None:
        socketio.renew()
        return socketio.service, WsgiHost(app, threads=socketio.settings.host_threads)
    if isinstance(app, Front):
        assert isinstance(app.service, Service)
        return app.service, app
    return build(**settings), app
