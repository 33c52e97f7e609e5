"""Where the settings of a Flask application's server come from, and which beats which."""

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from tocsin import SettingsError
from tocsin.websocket_server import SocketIO, init_websocket
from tocsin.websocket_server.app_settings import check_keywords, read_settings

LONG = "a secret of more than thirty-two bytes, for tests"


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No setting of the developer's counts."""
    monkeypatch.chdir(tmp_path)
    for name in ("TOCSIN_JWT_SECRET", "TOCSIN_DATABASE_URL", "TOCSIN_PORT", "SOCKETIO_PING_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def app(tmp_path):
    return Flask("settings", instance_path=str(tmp_path))


def secret(app, **given):
    found = read_settings(app, given).jwt_secret
    return found and found.get_secret_value()


def test_keyword_beats_environment_beats_config_beats_default(app, monkeypatch):
    """Each source counts where those before it say nothing."""
    app.config.update(TOCSIN_PORT=1111, SOCKETIO_PING_TIMEOUT=11, TOCSIN_HOST_THREADS=7)
    monkeypatch.setenv("TOCSIN_PORT", "2222")
    monkeypatch.setenv("SOCKETIO_PING_TIMEOUT", "22")
    settings = read_settings(app, check_keywords({"port": 3333}))

    assert (settings.port, settings.ping_timeout, settings.host_threads) == (3333, 22.0, 7)
    assert settings.ping_interval == 25.0


def test_a_list_of_the_config_is_a_setting(app):
    """As Flask-CORS takes its origins; an empty one says nothing."""
    app.config.update(TOCSIN_CORS_ORIGINS=["https://shop.example", "https://admin.shop.example"])
    app.config.update(TOCSIN_TRUSTED_PROXIES=[], TOCSIN_HOST="", TOCSIN_REDIS_URL=None)
    settings = read_settings(app, {})

    assert settings.cors_origins == ("https://shop.example", "https://admin.shop.example")
    assert (settings.trusted_proxies, settings.host, settings.redis_url) == ((), "127.0.0.1", None)


def test_an_embedded_server_runs_views_in_threads(app, monkeypatch):
    """The default is the guide's; who says otherwise is heard."""
    assert read_settings(app, {}).async_mode == "threading"
    monkeypatch.setenv("SOCKETIO_ASYNC_MODE", "asgi")
    assert read_settings(app, {}).async_mode == "asgi"


def test_names_of_flask_socketio_are_understood():
    """The guide's keywords are settings of ours; None is the default."""
    given = {"cors_allowed_origins": "*", "message_queue": "redis://localhost:6379", "async_mode": None}

    assert check_keywords(given) == {"cors_origins": "*", "redis_url": "redis://localhost:6379"}


@pytest.mark.parametrize("name", ["logger", "manage_session", "max_http_buffer_size"])
def test_an_unknown_keyword_is_one_line(name):
    """It names the keyword and the page that tells what to do."""
    with pytest.raises(SettingsError, match=f"{name}: there is no such setting; see the page"):
        SocketIO(**{name: True})


def test_eventlet_is_refused_at_once(app):
    """Before anything is served."""
    with pytest.raises(SettingsError, match="use threading or asgi"):
        init_websocket(app, async_mode="eventlet")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"SECRET_KEY": LONG}, LONG),
        ({"SECRET_KEY": LONG.encode()}, LONG),
        ({"SECRET_KEY": LONG, "JWT_SECRET_KEY": f"jwt {LONG}"}, f"jwt {LONG}"),
        ({"SECRET_KEY": LONG, "JWT_SECRET_KEY": f"jwt {LONG}", "TOCSIN_JWT_SECRET": f"own {LONG}"}, f"own {LONG}"),
        ({}, None),
    ],
)
def test_the_applications_secret_signs_tokens(app, config, expected):
    """Ours first, then Flask-JWT-Extended's, then Flask's."""
    app.config.update(config)

    assert expected == secret(app)


def test_a_short_secret_says_so_when_it_is_needed(app):
    """Publishing needs none; the server names the key and the remedy."""
    app.config["SECRET_KEY"] = "dev"
    server = init_websocket(app)

    assert server.settings.jwt_secret is None
    with pytest.raises(SettingsError, match=r"SECRET_KEY has 3 bytes, 32 are the least: set TOCSIN_JWT_SECRET"):
        _ = server.service


@pytest.mark.parametrize("options", ["", "?timeout=20"])
def test_the_database_is_that_of_flask_sqlalchemy(app, tmp_path, options):
    """Found when it is needed: `db.init_app` may come after `init_websocket`; options of the driver are the host's."""
    server = init_websocket(app)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///app.db{options}"
    SQLAlchemy().init_app(app)

    assert server.settings.database_url == f"sqlite:///{tmp_path / 'app.db'}"


def test_a_database_in_memory_is_not_shared(app):
    """It would be another one for each connection."""
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///:memory:"
    SQLAlchemy().init_app(app)

    assert read_settings(app, {}).database_url == "sqlite:///tocsin.db"
