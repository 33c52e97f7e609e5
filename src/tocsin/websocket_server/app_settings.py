"""
The settings of a Flask application's server: keywords, environment, ``app.config``.

Precedence: keyword, environment, ``.env``, ``app.config``, default. Nothing is
opened here; the host's database is looked up when it is needed, because
``db.init_app`` may come after ``init_websocket``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tocsin.settings import MIN_SECRET_BYTES, Settings, SettingsError, variable_of

if TYPE_CHECKING:
    from flask import Flask

# What Flask-SocketIO calls them.
_RENAMED = {"message_queue": "redis_url", "cors_allowed_origins": "cors_origins"}
# Which of them signs the users' tokens is told by which is there: Flask-JWT-Extended falls back likewise.
_SECRETS = ("JWT_SECRET_KEY", "SECRET_KEY")


def check_keywords(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return settings from keywords, with Flask-SocketIO's names translated; None stands for the default.

    Raises:
        SettingsError: There is no such setting.
    """
    settings = {}
    for name, value in given.items():
        field = _RENAMED.get(name, name)
        if field not in Settings.model_fields:
            raise SettingsError(f"{name}: there is no such setting; see the page 'migrate-from-flask-socketio'")
        if callable(value):
            raise SettingsError(f"{name} must be a value, not a function")
        if value is not None:
            settings[field] = value
    return settings


def read_settings(app: "Flask", given: Mapping[str, Any]) -> Settings:
    """
    Return the settings of an application, whose database may be found only now.

    Raises:
        SettingsError: One has a value that can't work.
    """
    told = Settings(**given)
    said = {field: app.config.get(variable_of(field)) for field in Settings.model_fields}
    found: dict[str, Any] = {"async_mode": "threading"} | {
        field: value for field, value in said.items() if value is not None and value != ""
    }
    found = {field: value for field, value in found.items() if field not in told.model_fields_set}
    if not {"jwt_secret", "jwt_public_key", "jwks_url"} & (told.model_fields_set | found.keys()):
        found |= _secret(app)
    if "database_url" not in told.model_fields_set | found.keys():
        found |= _database(app)
    return Settings(**given, **found)


def explain_missing_secret(app: "Flask") -> None:
    """
    Say which key of ``app.config`` is too short to sign tokens, before the service says that there is none.

    Raises:
        SettingsError: There is one.
    """
    name, secret = _signing_key(app)
    if secret and len(secret.encode()) < MIN_SECRET_BYTES:
        raise SettingsError(
            f"{name} has {len(secret.encode())} bytes, {MIN_SECRET_BYTES} are the least: "
            "set TOCSIN_JWT_SECRET to the key that signs your users' tokens"
        )


def _secret(app: "Flask") -> dict[str, str]:
    _, secret = _signing_key(app)
    return {"jwt_secret": secret} if len(secret.encode()) >= MIN_SECRET_BYTES else {}


def _signing_key(app: "Flask") -> tuple[str, str]:
    for name in _SECRETS:
        if value := app.config.get(name):
            return name, value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return "", ""


def _database(app: "Flask") -> dict[str, str]:
    database = app.extensions.get("sqlalchemy")
    if database is None:
        return {}
    with app.app_context():
        url = database.engine.url
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:" or "uri" in url.query:
        return {}
    return {"database_url": f"sqlite:///{url.database}"}
