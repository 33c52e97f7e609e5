"""
Every setting of the product, read once into one frozen object.

Precedence: keyword, then environment, then ``.env``, then the default. What
the settings are used for is told where they are used, and ``bootstrap`` hands
them out; nothing else reads the environment.
"""

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tocsin.domain.database_url import check_database_url
from tocsin.domain.errors import Invalid
from tocsin.domain.ladder import DEFAULT_LADDER, Ladders
from tocsin.domain.rate import parse_rate

MIN_SECRET_BYTES = 32
ANY_ORIGIN = "*"

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
# The push services of Firefox, of Chrome and all that are made from it, of Safari, and of Edge.
PUSH_SERVICES = (
    "push.services.mozilla.com",
    "fcm.googleapis.com",
    "jmt17.google.com",
    "push.apple.com",
    "notify.windows.com",
)
_HOST_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])")
_LOOPBACK_FAKE = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):[1-9][0-9]{0,4}")
_VAPID_SUBJECT = re.compile(r"mailto:[^\s@:]+@[^\s@:]+|https://[^\s/]+\S*")

_FCM_URL = re.compile(r"(?:https://[^\s/?#@]+|http://(?:localhost|127\.[0-9.]+|\[::1\])(?::[0-9]{1,5})?)(?:/[^\s?#]*)?")
_JWKS_URL = re.compile(r"(?:https://[^\s/?#@]+|http://(?:localhost|127\.[0-9.]+|\[::1\])(?::[0-9]{1,5})?)(?:/[!-~]*)?")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


class SettingsError(ValueError):
    """
    A setting has a value that can't work; the message is one line and names it.

    Attributes:
        lines: What is wrong, one thing each.
        fields: The fields whose values alone are wrong.
    """

    exit_status = 2

    def __init__(self, *lines: str, fields: Sequence[str] = ()) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines
        self.fields = tuple(fields)


def _guide_name(name: str, field: str) -> AliasChoices:
    return AliasChoices(name, field)


class Settings(BaseSettings):
    """
    All settings, frozen; building it raises SettingsError on the first look at a bad value.

    A field is set by the environment variable ``TOCSIN_<NAME>``, except for the
    guide's own ``SOCKETIO_*`` names. No secret appears in its repr or in an error.

    Attributes:
        database_url: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, or ``postgresql://user:password@host/name``.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        workers: Processes that ``tocsin serve`` serves with; several need PostgreSQL and Redis.
        tls_certificate: PEM file to serve TLS with, the chain included; None: plain HTTP, as behind a proxy.
        tls_key: PEM file of its key; None: it is in the same file.
        jwt_secret: Secret of HS256 tokens, at least 32 bytes.
        jwt_public_key: Instead of the secret: a public key, as PEM text or the path of a PEM file.
        jwks_url: Instead of both: where the issuer of the tokens publishes its keys; needs ``jwt_issuer``.
        jwt_issuer: The ``iss`` that tokens must have; None: not looked at.
        jwt_audience: An ``aud`` that tokens must have; None: tokens with an audience are refused.
        redis_url: A Redis or Valkey server, Cluster or Sentinels, that wakes the nodes; None: they
            look for themselves every few seconds.
        bus_key: Signs what nodes tell each other through Redis; the same on all of them.
        cors_origins: Foreign origins whose pages may use REST and sockets; a comma list in the
            environment, ``*`` for every page. Pages of the server's own origin always may.
        trusted_proxies: Addresses or networks whose ``X-Forwarded-*`` headers are believed.
        async_mode: How views of an embedded host run: ``threading`` or ``asgi``.
        ping_interval: Seconds between heartbeats to a client.
        ping_timeout: Seconds that a client has to answer one.
        host_threads: Views and sync handlers of an embedded host that run at a time.
        lang: Language of the texts of notifications that the server words itself.
        firebase_credentials_path: The key file of the Firebase project that pushes; None: no push.
        fcm_url: A proxy or a fake in place of ``https://fcm.googleapis.com``.
        push_ladder: Which channels an unseen notification climbs when, as ``high: push 5s, channels 5m; low: none``.
        vapid_subject: Whom a push service may write to, ``mailto:`` or ``https:``; None: not told.
        webpush_hosts: Push services that browsers may subscribe at, with all hosts below them;
            ``127.0.0.1:PORT`` names a fake on loopback.
        limit_user_connections: Sockets one user may hold at a time.
        limit_user_events: Events of each kind that one user's clients may send, as ``10 per minute``.
        limit_user_requests: REST requests of one user.
        limit_publisher_requests: REST requests of one subject with the scope ``publish``, on each worker.
        limit_address_requests: REST requests of one remote address, but for those of publishers.
        limit_user_devices: Devices for push that one user may have registered, and as many browsers.
        limit_address_connections: Connections one remote address may hold at a time; 0: no limit.
        drain_s: Seconds over which clients are sent away when the server stops.
        metrics: Who may read ``/metrics`` without a token of the scope ``admin``: readers on this machine
            (``loopback``), nobody (``token``), everybody (``open``); ``off``: there are none.
        access_log: ``on`` logs a line for each answered request of the API.
        otlp_url: Collector that gets traces over OTLP/HTTP, as ``http://127.0.0.1:4318``; None: there are none.
        trace_share: Share of the requests that are followed, 0 to 1; a caller that is followed decides itself.
        log_format: ``console`` for people, ``json`` for machines.
        log_level: Least level that is logged.
    """

    model_config = SettingsConfigDict(
        env_prefix="TOCSIN_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        validate_default=True,
    )

    database_url: str = "sqlite:///tocsin.db"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    jwt_secret: SecretStr | None = None
    jwt_public_key: str | None = None
    jwks_url: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None

    redis_url: SecretStr | None = None
    bus_key: SecretStr | None = None

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.0/8", "::1")

    async_mode: Literal["threading", "asgi"] = Field(
        default="asgi", validation_alias=_guide_name("SOCKETIO_ASYNC_MODE", "async_mode")
    )
    ping_interval: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=25.0, validation_alias=_guide_name("SOCKETIO_PING_INTERVAL", "ping_interval")
    )
    ping_timeout: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=60.0, validation_alias=_guide_name("SOCKETIO_PING_TIMEOUT", "ping_timeout")
    )

    host_threads: Annotated[int, Field(ge=1, le=1_000)] = 32
    lang: Literal["en", "ko"] = "en"
    firebase_credentials_path: Path | None = Field(
        default=None, validation_alias=_guide_name("FIREBASE_CREDENTIALS_PATH", "firebase_credentials_path")
    )
    fcm_url: str | None = None
    push_ladder: str = DEFAULT_LADDER
    vapid_subject: str | None = None
    webpush_hosts: Annotated[tuple[str, ...], NoDecode] = PUSH_SERVICES

    limit_user_connections: Annotated[int, Field(ge=1)] = 20
    limit_user_events: str = "6000 per minute"
    limit_user_requests: str = "3000 per minute"
    limit_publisher_requests: str = "600000 per minute"
    limit_user_devices: Annotated[int, Field(ge=1)] = 20
    limit_address_connections: Annotated[int, Field(ge=0)] = 1_000
    limit_address_requests: str = "12000 per minute"

    # delivery.md gives clients 0 to 10 s to go, and the exit 30 s in all.
    drain_s: Annotated[float, Field(ge=0, le=20)] = 10.0
    metrics: Literal["loopback", "token", "open", "off"] = "loopback"
    access_log: Literal["off", "on"] = "off"
    otlp_url: Annotated[str | None, Field(pattern=r"^https?://[^\s/?#@]+(?:/[^\s?#]*)?$")] = None
    trace_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    _SECRET: ClassVar[frozenset[str]] = frozenset({"jwt_secret", "jwt_public_key"})

    @property
    def has_token_key(self) -> bool:
        """Return whether tokens can be verified."""
        return bool(self.jwt_secret or self.jwt_public_key or self.jwks_url)

    def __init__(self, **values: Any) -> None:
        unknown = sorted(values.keys() - type(self).model_fields.keys() - {"_env_file"})
        if unknown:
            raise SettingsError(f"{unknown[0]}: there is no such setting")
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _told(error) from None
        except OSError as error:
            raise SettingsError(f".env can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(".env can't be read: it is not UTF-8") from None

    @field_validator("cors_origins", "trusted_proxies", "webpush_hosts", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_canonical_origin(origin) for origin in origins)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ipaddress.ip_network(proxy)
        return proxies

    @field_validator("async_mode", mode="before")
    @classmethod
    def _check_mode(cls, mode: object) -> object:
        if mode in {"eventlet", "gevent", "gevent_uwsgi"}:
            raise ValueError(f"{mode} patches the standard library, this server is asyncio: use threading or asgi")
        return mode

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, url: str) -> str:
        return check_database_url(url)

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        text = url.get_secret_value()
        if not re.match(r"(?:(?:redis|valkey)s?(?:\+(?:cluster|sentinel))?://|unix://.)", text):
            raise ValueError(
                "must look like redis://localhost:6379/0 (or rediss://, valkey://, unix://, "
                "redis+cluster://, redis+sentinel://)"
            )
        # Flask-SocketIO's own example says no more than this.
        return SecretStr(f"{text}localhost") if text.endswith("://") else url

    @field_validator("bus_key")
    @classmethod
    def _check_bus_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"needs at least {MIN_SECRET_BYTES} bytes; `openssl rand -hex 32` makes one")
        return key

    @field_validator("limit_user_events", "limit_user_requests", "limit_publisher_requests", "limit_address_requests")
    @classmethod
    def _check_rate(cls, rate: str) -> str:
        try:
            parse_rate(rate)
        except Invalid as error:
            raise ValueError(error.detail) from None
        return rate

    @field_validator("push_ladder")
    @classmethod
    def _check_ladder(cls, text: str) -> str:
        try:
            Ladders(text)
        except Invalid as error:
            raise ValueError(error.detail) from None
        return text

    @field_validator("firebase_credentials_path")
    @classmethod
    def _check_credentials(cls, path: Path | None) -> Path | None:
        with suppress(OSError):
            if path is None or path.is_file():
                return path
        raise ValueError(
            "names no file that this user can see; download the key of a service account in the Firebase console"
        )

    @field_validator("vapid_subject")
    @classmethod
    def _check_subject(cls, subject: str | None) -> str | None:
        if subject is not None and not _VAPID_SUBJECT.fullmatch(subject):
            raise ValueError("must look like mailto:push@example.com or https://example.com/contact")
        return subject

    @field_validator("webpush_hosts")
    @classmethod
    def _check_push_services(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST_NAME.fullmatch(host) and not is_loopback_fake(host):
                raise ValueError(
                    f"{host!r} is not the name of a host, such as push.services.mozilla.com; a port is "
                    "for a fake on loopback, as in 127.0.0.1:8030"
                )
        return hosts

    @field_validator("fcm_url")
    @classmethod
    def _check_fcm_url(cls, url: str | None) -> str | None:
        # Access tokens go there.
        if url is not None and not _FCM_URL.fullmatch(url):
            raise ValueError("must look like https://fcm-proxy.example.com (http:// only on this machine)")
        return url

    @field_validator("jwt_secret")
    @classmethod
    def _check_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and (length := len(secret.get_secret_value().encode())) < MIN_SECRET_BYTES:
            raise ValueError(f"has {length} bytes, {MIN_SECRET_BYTES} are the least; `openssl rand -hex 32` makes one")
        return secret

    @field_validator("jwt_public_key")
    @classmethod
    def _read_key(cls, key: str | None) -> str | None:
        if key is None or key.lstrip().startswith("-----BEGIN"):
            return key
        try:
            return Path(key).read_text(encoding="ascii")
        except (OSError, ValueError):
            raise ValueError("is neither PEM text nor the path of a readable PEM file") from None

    @field_validator("jwks_url")
    @classmethod
    def _check_jwks_url(cls, url: str | None) -> str | None:
        # Whoever can answer in its place makes tokens for anybody.
        if url is not None and not _JWKS_URL.fullmatch(url):
            raise ValueError("must look like https://id.example.com/jwks.json (http:// only on this machine)")
        return url

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        keys = [name for name in ("jwt_secret", "jwt_public_key", "jwks_url") if getattr(self, name)]
        if len(keys) > 1:
            raise ValueError(f"{' and '.join(f'TOCSIN_{name.upper()}' for name in keys)} are both set: keep one")
        if self.jwks_url and not self.jwt_issuer:
            # Large providers sign for all their customers with one set of keys.
            raise ValueError("TOCSIN_JWKS_URL needs TOCSIN_JWT_ISSUER: the `iss` of the tokens that are meant for you")
        if self.tls_key and not self.tls_certificate:
            raise ValueError("TOCSIN_TLS_KEY is of no use without TOCSIN_TLS_CERTIFICATE")
        if self.tls_certificate and self.workers > 1:
            raise ValueError(
                f"TOCSIN_WORKERS={self.workers}: several workers hand connections to each other, which TLS does not "
                "allow: let a proxy end TLS and unset TOCSIN_TLS_CERTIFICATE, or set TOCSIN_WORKERS=1"
            )
        missing = [
            *(["TOCSIN_DATABASE_URL=postgresql://…"] if self.database_url.startswith("sqlite") else []),
            *(["TOCSIN_REDIS_URL=redis://…"] if self.redis_url is None else []),
        ]
        if self.workers > 1 and missing:
            raise ValueError(
                f"TOCSIN_WORKERS={self.workers}: several workers share what they know by PostgreSQL and Redis: "
                f"set {' and '.join(missing)}, or TOCSIN_WORKERS=1"
            )
        return self


def variable_of(field: str) -> str:
    """Return the variable of the environment that sets a field."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"TOCSIN_{field.upper()}"


def is_loopback_fake(host: str) -> bool:
    """Return whether an entry of ``webpush_hosts`` names a fake push service on loopback."""
    return _LOOPBACK_FAKE.fullmatch(host) is not None and int(host.rpartition(":")[2]) <= 65_535


def _canonical_origin(origin: str) -> str:
    """Return the origin as browsers serialize it (RFC 6454, 6.2)."""
    canonical = origin.lower()
    if canonical == ANY_ORIGIN:
        return canonical
    if not _ORIGIN.fullmatch(canonical):
        raise ValueError(f"{origin!r} is not an origin such as https://app.example.com; * allows every page")
    scheme = canonical.partition(":")[0]
    return canonical.removesuffix(_DEFAULT_PORT[scheme])


def _told(error: ValidationError) -> SettingsError:
    lines, fields = [], []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        name = variable_of(field) if field in Settings.model_fields else field
        message = problem["msg"].removeprefix("Value error, ").replace("Input should", "should")
        lines.append(f"{name} {message}" if field else message)
        fields += [field if field in Settings.model_fields else _field_of(field)] if field else []
    return SettingsError(*lines, fields=fields)


def _field_of(alias: str) -> str:
    choices = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    return next(name for name, one in choices.items() if isinstance(one, AliasChoices) and alias in one.choices)
