"""
The fixtures for tests of an application; pytest finds them by itself where Tocsin is installed.

Nothing of Tocsin is imported before a test asks for one of them. What they set (variables of the environment, the
database that functions publish to) is taken back after each test.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tocsin.testing.client import LiveClient
    from tocsin.testing.fcm import FakeFcm
    from tocsin.testing.server import LiveServer
    from tocsin.testing.smtp import FakeSmtp
    from tocsin.testing.web_push import FakePushService

SECRET = "a secret for tests, of more than thirty-two bytes"  # noqa: S105 of databases that live for one test
_OURS = ("TOCSIN_", "SOCKETIO_", "FIREBASE_")
_FAKES = ("fake_fcm", "fake_web_push")


@pytest.fixture
def tocsin_settings() -> dict[str, Any]:
    """Settings by name, as ``{"push_ladder": "normal: push 0s"}``; a fixture of your own of this name sets them."""
    return {}


@pytest.fixture
def tocsin_variables(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, tocsin_settings: dict[str, Any]
) -> pytest.MonkeyPatch:
    """Give the environment to be changed until the end of the test, with nothing of Tocsin in it but the test's own."""
    from tocsin.settings import Settings, variable_of

    for name in environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    # What a developer's .env says must not decide how a test ends.
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    folder = tmp_path_factory.mktemp("tocsin")
    usual = {"database_url": f"sqlite:///{folder / 'tocsin.db'}", "port": 0, "drain_s": 0.0, "jwt_secret": SECRET}
    if {"jwt_public_key", "jwks_url"} & tocsin_settings.keys():
        del usual["jwt_secret"]
    given = {field: value for field, value in (usual | tocsin_settings).items() if value is not None}
    for field, value in given.items():
        monkeypatch.setenv(variable_of(field), _text(value))
    return monkeypatch


@pytest.fixture
def tocsin_environment(
    request: pytest.FixtureRequest,
    tocsin_variables: pytest.MonkeyPatch,  # noqa: ARG001 set before it
) -> Iterator[dict[str, str]]:
    """
    Set the environment for one test: a database, a secret, no providers but the fakes that the test asks for.

    For applications that read their settings from it, and for tests of functions that publish without a server.
    """
    from tocsin.bootstrap import publish_with

    for name in _FAKES:
        if name in request.fixturenames:
            request.getfixturevalue(name)
    publish_with(None)
    yield {name: value for name, value in environ.items() if name.startswith(_OURS)}
    publish_with(None)


@pytest.fixture
def tocsin_app(tocsin_environment: dict[str, str]) -> Any:  # noqa: ARG001 made in it
    """The application that the server serves: none. A fixture of your own of this name returns yours."""
    return None


@pytest.fixture
def tocsin_server(tocsin_environment: dict[str, str], tocsin_app: Any) -> Iterator["LiveServer"]:  # noqa: ARG001
    """Serve the application of ``tocsin_app`` for one test: ``url``, ``token(user_id)``, ``service``, ``call``."""
    from tocsin.testing.server import LiveServer

    with LiveServer(tocsin_app) as server:
        yield server


@pytest.fixture
def tocsin_tokens(tocsin_server: "LiveServer") -> Callable[..., str]:
    """Return what makes tokens: ``tocsin_tokens(7)``, ``tocsin_tokens("backend", "publish")``."""
    return tocsin_server.token


@pytest.fixture
def tocsin_client(tocsin_server: "LiveServer") -> Iterator[Callable[..., "LiveClient"]]:
    """Return what connects users: ``tocsin_client(7)``; each call is another device. All leave after the test."""
    from tocsin.testing.client import LiveClient

    with ExitStack() as clients:

        def enter(user_id: int | str, scope: str = "", **options: Any) -> LiveClient:
            client = LiveClient(tocsin_server.url, tocsin_server.token(user_id, scope), **options)
            return clients.enter_context(client)

        yield enter


@pytest.fixture
def fake_fcm(tocsin_variables: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator["FakeFcm"]:
    """A Firebase that pushes nothing, which the server of this test uses; needs ``tocsin[fcm]``."""
    from tocsin.testing.fcm import FakeFcm

    with FakeFcm() as fcm:
        key: Path = fcm.write_key(tmp_path_factory.mktemp("firebase"))
        tocsin_variables.setenv("FIREBASE_CREDENTIALS_PATH", str(key))
        tocsin_variables.setenv("TOCSIN_FCM_URL", fcm.url)
        yield fcm


@pytest.fixture
def fake_web_push(tocsin_variables: pytest.MonkeyPatch) -> Iterator["FakePushService"]:
    """A push service of browsers, which the server of this test uses; needs ``tocsin[webpush]``."""
    from tocsin.testing.web_push import FakePushService

    with FakePushService() as push_service:
        tocsin_variables.setenv("TOCSIN_WEBPUSH_HOSTS", push_service.host)
        yield push_service


@pytest.fixture
def fake_smtp() -> Iterator["FakeSmtp"]:
    """A mail server; ``fake_smtp.mail_url(to)`` is a channel that leads to it. Needs ``tocsin[channels]``."""
    from tocsin.testing.smtp import FakeSmtp

    with FakeSmtp() as smtp:
        yield smtp


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple | list) else str(value)
