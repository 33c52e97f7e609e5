"""Fixtures for every test: a real server on a free port, and tokens for it."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from hypothesis import settings as hypothesis_settings

from tests.postgres import Databases, empty
from tests.postgres import databases as postgres_databases
from tests.valkey import WITHOUT_SHARDS, Valkey, valkey
from tocsin import Service, Settings, build
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.adapters.sql.migrate import upgrade_postgres
from tocsin.domain.user_id import UserId

# A busy machine is no failure: timings are the benchmark's business.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

SECRET = "a secret for tests, of more than thirty-two bytes"
_START_S = 20.0
_STOP_S = 15.0


class RunningServer:
    """
    The real service over real HTTP, in a thread of its own with uvloop.

    Attributes:
        url: Where it listens, without a slash at the end.
        http: A client of it, for REST.
        service: The Service; touch it by ``call`` only, it belongs to its loop.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.service: Service = build(settings)
        self.url = ""
        self.http: httpx.Client
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-test-server", daemon=True)
        self._thread.start()
        if not self._is_ready.wait(_START_S) or self._error is not None:
            raise RuntimeError("the server did not start") from self._error
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                self._loop = runner.get_loop()
                runner.run(self.service.serve(on_ready=self._on_ready))
        except BaseException as error:  # noqa: BLE001 re-raised in the test's thread
            self._error = error
            self._is_ready.set()

    def _on_ready(self, url: str) -> None:
        self.url = url
        self._is_ready.set()

    def mint(self, user_id: int | str, scope: str = "", *, ttl_s: float = 3600, **claims: Any) -> str:
        """Return a token; ``claims`` replace the usual ones."""
        return issue_token(self.settings, UserId(str(user_id)), ttl_s=ttl_s, scope=scope, **claims)

    def bearer(self, user_id: int | str, scope: str = "", **claims: Any) -> dict[str, str]:
        """Return request headers with a token."""
        return {"Authorization": f"Bearer {self.mint(user_id, scope, **claims)}"}

    def raw(self, request: bytes, *, hang_up: bool = False) -> bytes:
        """Send bytes as they are on a connection of their own; return what comes back until the server ends it."""
        address = (self.settings.host, int(self.url.rpartition(":")[2]))
        answer = b""
        with socket.create_connection(address, timeout=20) as connection, suppress(OSError):
            connection.sendall(request)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65_536):
                answer += data
        return answer

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the server's loop and return its result."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_STOP_S)

    def stop(self) -> None:
        """Stop as on a signal, with the drain, and raise what went wrong meanwhile."""
        self.http.close()
        if self._thread.is_alive():
            self.service.stop_serving()
        self._thread.join(_STOP_S)
        if self._thread.is_alive():
            raise RuntimeError("the server did not stop")
        if self._error is not None:
            raise self._error


@contextmanager
def servers(folder: Path) -> Iterator[Callable[..., RunningServer]]:
    """Start servers on databases in a folder; stop them all at the end."""
    numbers = count()
    with ExitStack() as running:

        def start(**settings: Any) -> RunningServer:
            usual = {
                "jwt_secret": None if "jwt_public_key" in settings else SECRET,
                "jwt_public_key": None,
                "database_url": f"sqlite:///{folder / f'{next(numbers)}.db'}",
                "port": 0,
                "drain_s": 0.0,
            }
            server = RunningServer(Settings(_env_file=None, **(usual | settings)))
            running.callback(server.stop)
            return server

        yield start


@pytest.fixture
def start_server(tmp_path) -> Iterator[Callable[..., RunningServer]]:
    """Start servers with settings of one's own; all are stopped after the test."""
    with servers(tmp_path) as start:
        yield start


@pytest.fixture
def server(start_server) -> RunningServer:
    """Return a running server with a database of its own."""
    return start_server()


@pytest.fixture
def as_nobody() -> Callable[[], AbstractContextManager[None]]:
    """Run a block without the rights of root, whom no mode of a file keeps out."""

    @contextmanager
    def nobody() -> Iterator[None]:
        user = os.geteuid()
        os.seteuid(user or 65_534)
        try:
            yield
        finally:
            os.seteuid(user)

    return nobody


@pytest.fixture(scope="module")
def start_shared_server(tmp_path_factory) -> Iterator[Callable[..., RunningServer]]:
    """Start servers that all tests of a module share."""
    with servers(tmp_path_factory.mktemp("shared")) as start:
        yield start


@pytest.fixture(scope="module")
def shared_server(start_shared_server) -> RunningServer:
    """Return a running server that all tests of a module share: each uses users of its own."""
    return start_shared_server()


@pytest.fixture(scope="session")
def plain_url(tmp_path_factory):
    """Return where a server is that knows no sharded channels."""
    with valkey(tmp_path_factory.mktemp("valkey-plain"), **WITHOUT_SHARDS) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory) -> Iterator[str]:
    """Return where a Redis or Valkey server is that all tests share: that of ``TEST_REDIS_URL``, else one of ours."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def own_valkey(tmp_path) -> Iterator[Valkey]:
    """Return a running Valkey server of one test's own, to be killed and started again."""
    (tmp_path / "valkey").mkdir()
    with valkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Give a PostgreSQL server."""
    with postgres_databases() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_url(databases: Databases) -> Iterator[str]:
    with databases.database() as url:
        upgrade_postgres(url)
        yield url


@pytest.fixture
def postgres_url(migrated_url: str) -> str:
    """Give a database of PostgreSQL with the tables and nothing in them."""
    empty(migrated_url)
    return migrated_url
