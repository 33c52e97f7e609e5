"""Composition: which settings count, and what an import costs."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from tocsin import Settings, SettingsError, build
from tocsin.bootstrap import StartError
from tocsin.domain.errors import NotInitialized, Unauthenticated
from tocsin.domain.user_id import UserId

SECRET = "a secret of thirty-two bytes or so"


def test_overrides_beat_settings_and_leave_the_rest(monkeypatch):
    """`build(settings, name=value)` changes that one setting; the environment does not come in between."""
    settings = Settings(_env_file=None, jwt_secret=SECRET, port=1234, ping_timeout=9)
    monkeypatch.setenv("TOCSIN_PORT", "4321")
    monkeypatch.setenv("TOCSIN_DRAIN_S", "3")
    changed = build(settings, ping_timeout=5, cors_origins=["https://app.example.com"]).settings

    assert changed.model_dump() == settings.model_dump() | {
        "ping_timeout": 5.0,
        "cors_origins": ("https://app.example.com",),
    }


def test_keywords_alone_are_settings(monkeypatch, tmp_path):
    """`build(name=value)` reads the rest from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_PORT", "4321")
    settings = build(jwt_secret=SECRET).settings

    assert settings.port == 4321


@pytest.mark.parametrize(
    ("module", "question"), [("gevent.monkey", "is_module_patched"), ("eventlet.patcher", "is_monkey_patched")]
)
def test_patched_threads_are_refused(monkeypatch, module, question):
    """A loop in a greenlet would stand still with all others: one line says what to take out."""
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**{question: {"thread", "threading"}.__contains__}))

    with pytest.raises(StartError, match=rf"{module.partition('.')[0]} has patched .* sync or gthread"):
        build(Settings(_env_file=None, jwt_secret=SECRET))


def test_a_patcher_that_is_imported_only_harms_nobody(monkeypatch):
    """Libraries import gevent without patching."""
    monkeypatch.setitem(sys.modules, "gevent.monkey", SimpleNamespace(is_module_patched=lambda _: False))

    assert build(Settings(_env_file=None, jwt_secret=SECRET))


def test_the_engine_gets_the_settings():
    """Heartbeat and limits reach the Socket.IO server."""
    service = build(
        Settings(_env_file=None, jwt_secret=SECRET), ping_interval=7, ping_timeout=8, limit_address_connections=9
    )

    assert (service.engine.ping_interval, service.engine.ping_timeout) == (7.0, 8.0)
    assert service.engine.limits.connections_per_address == 9


def test_without_a_key_nothing_is_built():
    """There is no service that would accept everybody."""
    with pytest.raises(SettingsError, match="TOCSIN_JWT_SECRET"):
        build(Settings(_env_file=None, jwt_secret=None, jwt_public_key=None))


def test_a_built_service_has_opened_nothing(tmp_path):
    """Building touches no file and no port; only `start` does."""
    service = build(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'x.db'}")

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Unauthenticated):
        service.tokens.verify("x")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import tocsin", ["pydantic", "fastapi", "uvicorn", "sqlalchemy"]),
        ("import tocsin.engine", ["pydantic", "fastapi", "sqlalchemy", "tocsin.domain", "tocsin.bootstrap"]),
        ("from tocsin import Settings", ["fastapi", "uvicorn", "sqlalchemy"]),
    ],
)
def test_imports_load_no_more_than_they_need(statement, absent):
    """The engine or the settings alone don't load the web framework or the database."""
    code = f"import sys\n{statement}\nprint([name for name in {absent} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert finished.stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt export fails as on any module."""
    import tocsin  # noqa: PLC0415 the module itself is under test

    with pytest.raises(AttributeError, match="no attribute 'biuld'"):
        _ = tocsin.biuld


def test_a_missing_redis_package_stops_the_start_with_what_to_install(monkeypatch):
    """One line, not a traceback of an import."""
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    for name in [name for name in sys.modules if name.startswith("tocsin.adapters.bus_redis")]:
        monkeypatch.delitem(sys.modules, name)

    with pytest.raises(StartError, match=r"pip install 'tocsin\[redis\]'") as refused:
        build(jwt_secret=SECRET, redis_url="redis://localhost")

    assert 2 == refused.value.exit_status


def test_a_redis_url_that_cannot_be_read_stops_the_start():
    """The line names the setting and holds no password."""
    with pytest.raises(StartError, match=r"^TOCSIN_REDIS_URL must look like") as refused:
        build(jwt_secret=SECRET, redis_url="redis://:geheim/wort@localhost")

    assert "geheim" not in str(refused.value)
    assert 2 == refused.value.exit_status


def test_without_a_redis_url_nothing_of_it_is_imported():
    """The package is an extra."""
    code = "import sys, tocsin; tocsin.build(jwt_secret='x' * 32); assert 'redis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_every_page_may_come_is_said_loudly(tmp_path, caplog):
    """`*` is allowed, and the start says what it means."""
    service = build(
        Settings(_env_file=None, jwt_secret=SECRET), cors_origins="*", database_url=f"sqlite:///{tmp_path / 'x.db'}"
    )
    await service.start()
    await service.stop()

    assert [record.levelname for record in caplog.records if "EVERY WEB PAGE" in record.getMessage()] == ["WARNING"]


async def test_a_second_service_of_a_process_is_told(tmp_path, caplog):
    """Sync functions know no service: the one that started last gets what the first one's views publish."""
    services = [build(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / name}") for name in ("a.db", "b.db")]
    for service in services:
        await service.start()
    for service in services:
        await service.stop()

    told = [line.getMessage() for line in caplog.records if "another service runs" in line.getMessage()]
    assert len(told) == 1
    assert told[0].endswith("b.db")


async def test_a_service_that_has_not_started_says_so(tmp_path):
    """Its use-cases name what starts it; stopping it does nothing."""
    service = build(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'x.db'}")

    with pytest.raises(NotInitialized, match="the service has not started"):
        await service.notifications.stats(UserId("7"))
    await service.stop()
