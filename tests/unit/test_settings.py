"""Settings: names, precedence, and one clear line for every value that can't work."""

import pytest

from tocsin.settings import PUSH_SERVICES, Settings, SettingsError

SECRET = "a secret of thirty-two bytes or so"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        monkeypatch.delenv(str(alias.choices[0]) if alias else f"TOCSIN_{field.upper()}", raising=False)


def refusal(**values):
    with pytest.raises(SettingsError) as refused:
        Settings(**values)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_guide_names_set_the_heartbeat(monkeypatch):
    """The guide's SOCKETIO_* variables set interval, timeout and mode."""
    monkeypatch.setenv("SOCKETIO_PING_INTERVAL", "11")
    monkeypatch.setenv("SOCKETIO_PING_TIMEOUT", "7.5")
    monkeypatch.setenv("SOCKETIO_ASYNC_MODE", "threading")
    settings = Settings()

    assert settings.ping_interval == 11.0
    assert settings.ping_timeout == 7.5
    assert settings.async_mode == "threading"


@pytest.mark.parametrize(
    ("variable", "field"), [("SOCKETIO_PING_TIMEOUT", "ping_timeout"), ("TOCSIN_DRAIN_S", "drain_s")]
)
def test_precedence(monkeypatch, tmp_path, variable, field):
    """A keyword beats the environment, which beats .env, which beats the default."""
    default = getattr(Settings(), field)
    (tmp_path / ".env").write_text(f"{variable}=3\n")
    from_file = getattr(Settings(), field)
    monkeypatch.setenv(variable, "4")
    from_environment = getattr(Settings(), field)
    from_keyword = getattr(Settings(**{field: 5}), field)

    assert default not in {3.0, 4.0, 5.0}
    assert [from_file, from_environment, from_keyword] == [3.0, 4.0, 5.0]


@pytest.mark.parametrize("content", ["TOCSIN_LANG=ko  # 한국어".encode("cp949"), "TOCSIN_PORT=1".encode("utf-16")])
def test_an_env_file_of_another_encoding_is_told_in_one_line(tmp_path, monkeypatch, content):
    """Whatever the editor or the shell wrote."""
    (tmp_path / ".env").write_bytes(content)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsError, match=r"^\.env can't be read: it is not UTF-8$"):
        Settings()


def test_an_env_file_of_somebody_else_is_told_in_one_line(tmp_path, monkeypatch, as_nobody):
    """Also in a folder that the user may not enter, as after `sudo -u`."""
    (tmp_path / ".env").write_text("TOCSIN_PORT=1")
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0)
    with as_nobody(), pytest.raises(SettingsError, match=r"^\.env can't be read: Permission denied$"):
        Settings()
    tmp_path.chmod(0o700)


def test_a_firebase_key_that_cannot_be_seen_is_told_in_one_line(tmp_path, as_nobody):
    """In a folder of somebody else, and where the key itself stands instead of its place."""
    (tmp_path / "key.json").write_text("{}")
    tmp_path.chmod(0)
    with as_nobody(), pytest.raises(SettingsError, match="FIREBASE_CREDENTIALS_PATH names no file"):
        Settings(_env_file=None, firebase_credentials_path=tmp_path / "key.json")
    tmp_path.chmod(0o700)
    with pytest.raises(SettingsError, match="FIREBASE_CREDENTIALS_PATH names no file"):
        Settings(_env_file=None, firebase_credentials_path='{"type": "service_account"}' + " " * 1_000)


def test_strange_variables_in_env_file_are_left_alone(tmp_path):
    """A .env shared with the host application does not stop the start."""
    (tmp_path / ".env").write_text("FLASK_APP=backend\nDATABASE_URL=x\nTOCSIN_PORT=8123\n")

    assert Settings().port == 8123


def test_settings_are_frozen():
    """Nothing changes a setting after the start."""
    settings = Settings()

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_origins_are_canonical():
    """Origins come as a comma list and are kept as browsers write them."""
    settings = Settings(cors_origins="https://App.example.com:443, http://localhost:3000,http://[::1]:80")

    assert settings.cors_origins == ("https://app.example.com", "http://localhost:3000", "http://[::1]")


@pytest.mark.parametrize(
    "origin",
    ["null", "example.com", "https://*.example.com", "https://example.com/", "https://a b", "ftp://example.com"],
)
def test_what_is_no_origin_is_refused(origin):
    """A wildcard, null, a path or a pattern is no origin."""
    assert "TOCSIN_CORS_ORIGINS" in refusal(cors_origins=origin)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"port": 65_536}, "TOCSIN_PORT"),
        ({"port": "http"}, "TOCSIN_PORT"),
        ({"ping_interval": 0}, "SOCKETIO_PING_INTERVAL"),
        ({"ping_timeout": "nan"}, "SOCKETIO_PING_TIMEOUT"),
        ({"async_mode": "fibers"}, "SOCKETIO_ASYNC_MODE"),
        ({"database_url": "mysql://localhost/x"}, "TOCSIN_DATABASE_URL"),
        ({"database_url": "sqlite:///:memory:"}, "TOCSIN_DATABASE_URL"),
        ({"trusted_proxies": "10.0.0.0/33"}, "TOCSIN_TRUSTED_PROXIES"),
        ({"jwt_public_key": "/no/such/file.pem"}, "TOCSIN_JWT_PUBLIC_KEY"),
        ({"jwt_secret": SECRET, "jwt_public_key": "-----BEGIN PUBLIC KEY-----"}, "TOCSIN_JWT_PUBLIC_KEY"),
        ({"jwks_url": "http://id.example.com/keys", "jwt_issuer": "x"}, "TOCSIN_JWKS_URL"),
        ({"jwks_url": "https://user@id.example.com/keys", "jwt_issuer": "x"}, "TOCSIN_JWKS_URL"),
        ({"jwks_url": "https://id.example.com/keys"}, "TOCSIN_JWT_ISSUER"),
        ({"jwks_url": "https://id.example.com/", "jwt_issuer": "x", "jwt_secret": SECRET}, "TOCSIN_JWKS_URL"),
        ({"workers": 2}, "TOCSIN_WORKERS"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_a_bad_value_is_named_in_one_line(values, name):
    """Each bad value is refused in a line that names its variable."""
    assert name in refusal(**values)


@pytest.mark.parametrize("mode", ["eventlet", "gevent"])
def test_other_async_modes_are_refused_with_the_reason(mode):
    """A mode that patches the standard library is refused, and the line says why."""
    assert "asyncio" in refusal(async_mode=mode)


def test_a_short_secret_is_refused_and_not_shown():
    """A secret below 32 bytes is refused; the line tells how to make one and hides it."""
    message = refusal(jwt_secret="hunter2hunter2")

    assert "TOCSIN_JWT_SECRET" in message
    assert "openssl rand" in message
    assert "hunter2" not in message


def test_the_secret_is_counted_in_bytes():
    """Eleven three-byte characters are 33 bytes, and enough."""
    settings = Settings(jwt_secret="비" * 11)

    assert settings.jwt_secret.get_secret_value() == "비" * 11


def test_repr_shows_no_secret():
    """A logged settings object holds no secret."""
    assert SECRET not in repr(Settings(jwt_secret=SECRET))


def test_public_key_is_read_from_a_file(tmp_path):
    """A public key may be given as the path of its PEM file."""
    path = tmp_path / "key.pem"
    path.write_text("-----BEGIN PUBLIC KEY-----\n")

    assert Settings(jwt_public_key=str(path)).jwt_public_key == "-----BEGIN PUBLIC KEY-----\n"


@pytest.mark.parametrize(
    "url",
    ["https://proxy.example.com", "https://proxy.example.com:8443/fcm", "http://127.0.0.1:9000", "http://[::1]/a"],
)
def test_where_firebase_may_be(url):
    """Access tokens go there: over TLS, or nowhere but to this machine."""
    assert url == Settings(fcm_url=url).fcm_url


def test_every_page_may_be_let_in():
    """The guide's ``*`` is an origin list of its own."""
    assert ("*",) == Settings(cors_origins="*").cors_origins


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("redis_url", "localhost:6379"),
        ("bus_key", "short"),
        ("limit_user_events", "many"),
        ("firebase_credentials_path", "/nowhere/key.json"),
        ("fcm_url", "http://fcm-proxy.example.com"),
        ("fcm_url", "http://127.0.0.1.example.com"),
        ("fcm_url", "https://user:password@example.com"),
        ("fcm_url", "fcm.googleapis.com"),
        ("host_threads", 0),
        ("lang", "fr"),
    ],
)
def test_a_bad_value_is_named(name, value):
    """The line names the variable and repeats no value that may be secret."""
    with pytest.raises(SettingsError, match=f"(?i){name}"):
        Settings(**{name: value})


def test_push_services_are_those_of_the_browsers_unless_others_are_named():
    """A comma list takes their place; a fake is on loopback and has a port."""
    assert Settings(_env_file=None).webpush_hosts == PUSH_SERVICES
    named = Settings(webpush_hosts="push.example.com, 127.0.0.1:8030,localhost:1,[::1]:65535")
    assert named.webpush_hosts == ("push.example.com", "127.0.0.1:8030", "localhost:1", "[::1]:65535")


@pytest.mark.parametrize(
    "host",
    [
        "*",
        "*.push.apple.com",
        "com",
        "localhost",
        "127.0.0.1",
        "10.0.0.1",
        "10.0.0.1:8030",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "push.example.com:8443",
        "https://push.example.com",
        "push.example.com/x",
        ".push.example.com",
        "push.example.com.",
        "Push.example.com",
        "[::2]:80",
    ],
)
def test_what_is_no_push_service_is_refused(host):
    """No wildcard, no address, no port but a fake's."""
    assert "TOCSIN_WEBPUSH_HOSTS" in refusal(webpush_hosts=f"fcm.googleapis.com,{host}")


@pytest.mark.parametrize("subject", ["mailto:push@example.com", "https://example.com", "https://example.com/contact"])
def test_a_push_service_may_write_to_an_address_or_a_page(subject):
    """RFC 8292, 2.1."""
    assert Settings(vapid_subject=subject).vapid_subject == subject


@pytest.mark.parametrize(
    "subject", ["push@example.com", "mailto:", "mailto:push", "http://example.com", "https://", "x"]
)
def test_other_subjects_are_refused(subject):
    """Apple's service would refuse each push."""
    assert "TOCSIN_VAPID_SUBJECT" in refusal(vapid_subject=subject)


@pytest.mark.parametrize(("given", "meant"), [("redis://", "redis://localhost"), ("redis://a:7/1", "redis://a:7/1")])
def test_a_redis_without_a_host_is_this_machines(given, meant):
    """``redis://`` alone is what Flask-SocketIO's documentation gives."""
    assert meant == Settings(redis_url=given).redis_url.get_secret_value()
