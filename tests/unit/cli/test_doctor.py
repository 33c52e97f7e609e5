"""What the doctor makes of settings, secrets, the machine and a SQLite file; it changes nothing and tells no secret."""

import sqlite3
import sys
import time
from pathlib import Path

import pytest

from tests.certificates import self_signed
from tocsin.adapters.sql.migrate import upgrade
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.cli.doctor import clock, database, keys, machine, push, settings_look
from tocsin.cli.doctor.command import examine
from tocsin.settings import Settings

RANDOM = "9f1c66d2c0a4e7b85d3f0a91e6b7c2d84f5a6b3c1d9e8f70a2b4c6d8e0f1a3b5"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """Be where no setting is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.environ", {"PATH": "/usr/bin:/bin"})
    return monkeypatch


def levels(findings, area=None):
    return [one.level for one in findings if area in (None, one.area)]


def bad(findings):
    return [one.text for one in findings if one.level != "ok"]


def made(tmp_path):
    path = tmp_path / "tocsin.db"
    upgrade(str(path))
    return path


def of_file(path):
    return [*database.look(Settings(database_url=f"sqlite:///{path}"))]


def test_each_bad_setting_is_a_line_and_the_rest_is_looked_at(surroundings):
    """The doctor goes on with the defaults of those."""
    values = {"TOCSIN_PORT": "99999", "SOCKETIO_PING_TIMEOUT": "-1", "TOCSIN_CORS_ORIGINS": "https://a.example/"}
    for name, value in values.items():
        surroundings.setenv(name, value)
    settings, wrong = settings_look.read()

    assert settings is not None
    assert 25.0 == settings.ping_interval
    assert sorted(values) == sorted(one.text.split()[0] for one in wrong)
    assert ["problem"] * 3 == levels(wrong)


def test_settings_that_do_not_go_together_are_told(surroundings):
    """Nothing more can be looked at then."""
    surroundings.setenv("TOCSIN_WORKERS", "4")
    found = [*examine()]

    assert ["problem"] == levels(found)
    assert "TOCSIN_WORKERS=4" in found[0].text


def test_a_default_that_stands_in_is_no_problem(surroundings):
    """Redis is named, if not well: who has done so is not told to do it."""
    values = {"TOCSIN_WORKERS": "4", "TOCSIN_DATABASE_URL": "postgresql://db/x", "TOCSIN_REDIS_URL": "cache:6379"}
    for name, value in values.items():
        surroundings.setenv(name, value)
    (found,) = examine()

    assert found.text.startswith("TOCSIN_REDIS_URL must look like")


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"TOCSIN_JWT_SECERT": "x"}, "TOCSIN_JWT_SECERT is no setting"),
        ({"TOCSIN_CORS_ORIGINS": "*"}, "every web page"),
        ({"TOCSIN_CORS_ORIGINS": "http://app.example.com"}, "not encrypted"),
        ({"TOCSIN_TRUSTED_PROXIES": "0.0.0.0/0"}, "0.0.0.0/0 is believed"),
    ],
)
def test_what_is_allowed_and_hardly_meant(surroundings, environment, told):
    """Each of these lets a server start."""
    for name, value in environment.items():
        surroundings.setenv(name, value)
    found = [*settings_look.look(Settings(), environment)]

    assert [text for text in bad(found) if told in text]


def test_a_misspelling_in_the_env_file_is_told(tmp_path):
    """The host's own names there are none of ours."""
    (tmp_path / ".env").write_text("FLASK_APP=shop\nTOCSIN_JWT_SECERT=x\nTOCSIN_PORT=8001\n")

    assert ["TOCSIN_JWT_SECERT is no setting and changes nothing"] == bad(settings_look.look(Settings(), {}))


def test_a_certificate_that_a_start_refuses_is_told(tmp_path):
    """And one that it takes."""
    well = [*settings_look.look(Settings(tls_certificate=self_signed(tmp_path)), {})]
    ill = [*settings_look.look(Settings(tls_certificate=tmp_path / "none.pem"), {})]

    assert [] == bad(well)
    assert "ok" in levels(well, "tls")
    assert ["problem"] == levels(ill, "tls")
    assert any("TOCSIN_TLS_CERTIFICATE" in text for text in bad(ill))


def test_traces_without_their_package_are_told(surroundings):
    """The server would not start."""
    settings = Settings(otlp_url="http://127.0.0.1:4318")
    assert [] == bad(settings_look.look(settings, {}))
    surroundings.setitem(sys.modules, "tocsin.adapters.otel", None)

    assert any("TOCSIN_OTLP_URL" in text for text in bad(settings_look.look(settings, {})))


def test_usual_settings_are_well():
    """A page on this machine, a proxy's network."""
    settings = Settings(cors_origins="https://app.example.com,http://localhost:3000", trusted_proxies="10.0.0.0/8")

    assert [] == bad(settings_look.look(settings, {"TOCSIN_PORT": "1", "SOCKETIO_PING_INTERVAL": "2"}))


@pytest.mark.parametrize(
    ("secret", "level"),
    [
        (RANDOM, "ok"),
        ("change-me-change-me-change-me-change-me", "problem"),
        ("your-256-bit-secret-your-256-bit-secret", "problem"),
        ("a" * 64, "problem"),
        ("kx9" * 20, "problem"),
        ("Tr0ub4dor&3 correct horse battery staple of ours", "ok"),
    ],
)
def test_secrets_that_are_guessed(secret, level):
    """Long enough for the settings, and yet known to everybody, or hardly different from nothing."""
    found = [*keys.look(Settings(jwt_secret=secret))]

    assert level == found[0].level
    assert secret not in repr(found)


def test_a_missing_or_shared_key_is_told():
    """Without one nobody gets in; one for all gives all away."""
    assert any("no token can be verified" in text for text in bad(keys.look(Settings())))
    assert any("has both" in text for text in bad(keys.look(Settings(jwt_secret=RANDOM, bus_key=RANDOM))))
    assert any("forge an event" in text for text in bad(keys.look(Settings(jwt_secret=RANDOM, redis_url="redis://x"))))


def test_a_public_key_that_is_none_is_not_to_be_joined_by_a_secret():
    """Both together are refused."""
    (found,) = [one for one in keys.look(Settings(jwt_public_key="-----BEGIN nothing")) if one.level == "problem"]

    assert found.text.startswith("no token can be verified: TOCSIN_JWT_PUBLIC_KEY")
    assert "TOCSIN_JWT_SECRET" not in found.advice


def test_a_file_that_is_well(tmp_path):
    """Its tables are up to date, and nothing is left beside it."""
    path = made(tmp_path)
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    found = of_file(path)

    assert ["database"] == [*{one.area for one in found}]
    assert not [text for text in bad(found) if "journal" not in text and "MiB free" not in text]
    assert before == {one: one.read_bytes() for one in tmp_path.iterdir()}


async def test_a_file_is_well_before_in_and_after_the_life_of_a_server(tmp_path):
    """Also where nothing has been written since its start."""
    path = tmp_path / "tocsin.db"
    found = []
    for _ in range(2):
        store = SqliteStore(str(path))
        await store.start()
        found.append(of_file(path))
        await store.stop()
        found.append(of_file(path))

    assert [] == [text for told in found for text in bad(told) if "MiB free" not in text]


def test_a_file_that_is_in_use_is_left_alone(tmp_path):
    """What is in its journal is seen, and nothing is changed."""
    path = made(tmp_path)
    with sqlite3.connect(path) as held:
        held.execute("PRAGMA journal_mode = WAL")
        held.execute("INSERT INTO tocsin_last_seen VALUES ('ann', 1)")
        held.commit()
        before = {one.name: one.read_bytes() for one in tmp_path.iterdir() if "shm" not in one.name}
        found = of_file(path)

        assert before == {one.name: one.read_bytes() for one in tmp_path.iterdir() if "shm" not in one.name}
        assert any("journal WAL" in one.text for one in found)
    held.close()


def test_there_need_be_no_file_yet(tmp_path):
    """The first start makes it; the doctor does not."""
    found = of_file(tmp_path / "new.db")

    assert "problem" not in levels(found)
    assert [] == [*tmp_path.iterdir()]


def test_a_folder_that_is_missing_is_told(tmp_path):
    """Nobody makes it."""
    assert any("there is no folder" in text for text in bad(of_file(tmp_path / "none" / "tocsin.db")))


def test_a_folder_of_somebody_else_is_told(tmp_path, as_nobody):
    """The doctor was called by another user than the server's."""
    folder = tmp_path / "private"
    folder.mkdir()
    settings = Settings(database_url=f"sqlite:///{made(folder)}")
    folder.chmod(0)
    with as_nobody():
        found = [*database.look(settings)]
    folder.chmod(0o700)

    assert ["problem"] == levels(found)
    assert "can't be seen by this user" in found[0].text


def test_tables_of_another_release_are_told(tmp_path):
    """An older one is brought up by the next start, a later one refuses it."""
    path = tmp_path / "tocsin.db"
    upgrade(str(path), "0003")
    older = of_file(path)
    upgrade(str(path))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE tocsin_version SET version_num = '9999'")
    connection.close()

    assert any("at 0003" in one.text and one.level == "warning" for one in older)
    assert any("at 9999" in one.text and one.level == "problem" for one in of_file(path))


def test_a_damaged_file_is_told(tmp_path):
    """SQLite looks through it."""
    path = made(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xff" * (4096 * 6)
    path.write_bytes(content)
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"this is no database" * 100)

    assert "problem" in levels(of_file(path))
    assert "problem" in levels(of_file(noise))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ["ok"]),
        ({"fsync": "off"}, ["problem"]),
        ({"full_page_writes": "off"}, ["problem"]),
        ({"fsync": "off", "synchronous_commit": "off"}, ["problem", "warning"]),
    ],
)
def test_a_postgresql_that_loses_by_a_power_cut_is_not_well(changed, told):
    """Each line says which setting is to be changed, and none that all is well."""
    settings = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"} | changed
    found = [*database._durable(settings.get)]

    assert told == levels(found)
    assert [f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()" for name in changed] == [
        one.advice for one in found if one.level != "ok"
    ]
    assert all("a power cut loses" in text for text in bad(found))


def test_a_network_file_system_is_seen(tmp_path):
    """The mount that a path is on is the deepest above it."""
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nserver:/x /srv nfs4 rw 0 0\n/dev/sdb /srv/local ext4 rw 0 0\n")

    assert [None, "nfs4", None, None] == [
        machine.network_file_system(Path(path), mounts)
        for path in ("/var/lib", "/srv/data/tocsin", "/srv/local/db", "/srvx")
    ]


def test_a_full_disk_is_told(surroundings, tmp_path):
    """Before it answers 507."""

    class Usage:
        free = 5 * 2**20

    surroundings.setattr("shutil.disk_usage", lambda _: Usage)

    assert "problem" == machine.disk(tmp_path, "database").level


@pytest.mark.parametrize(("hard", "level"), [(1024, "warning"), (20_000, "ok"), (1_048_576, "ok")])
def test_few_open_files_are_told(hard, level):
    """A client is one each."""
    assert level == machine.files_for_clients(hard).level


def test_more_workers_than_processors_are_told():
    """They only wait for each other."""
    settings = Settings(workers=4, database_url="postgresql://x/y", redis_url="redis://x")

    assert ["ok", "warning"] == [machine.processors(settings, usable).level for usable in (4, 2)]


@pytest.mark.parametrize(("off_s", "level"), [(0, "ok"), (-5, "warning"), (5, "warning"), (3600, "problem")])
def test_clocks_are_compared(off_s, level):
    """Either way."""
    now = time.time()

    assert level == clock.compare("another", now + off_s, now).level


def test_a_key_file_of_firebase_is_looked_at(tmp_path):
    """What the guide's command shows, and what is wrong with the file; nothing of it is told."""
    path = tmp_path / "key.json"
    path.write_text('{"type": "authorized_user", "client_secret": "hush-hush"}')
    path.chmod(0o644)
    found = [*push.look(Settings(firebase_credentials_path=path))]

    assert any('python -c "import firebase_admin" works' == one.text for one in found)
    assert any("no key of a service account" in text for text in bad(found))
    assert "hush-hush" not in repr(found)


def test_a_package_that_is_missing_is_told():
    """With the name of the extra."""
    (found,) = push._imports("no_such_package_at_all", "fcm", "Firebase")

    assert "problem" == found.level
    assert "No module named" in found.text
    assert "tocsin[fcm]" in found.advice


def test_what_breaks_the_doctor_itself_is_told_and_hides_nothing(surroundings):
    """The other looks are taken, and what the error says is not shown."""

    def breaks(_settings):
        raise RuntimeError(RANDOM)

    breaks.__module__ = "tocsin.cli.doctor.keys"
    surroundings.setattr(keys, "look", breaks)
    found = [*examine()]

    assert any(one.area == "keys" and "RuntimeError" in one.text for one in found)
    assert "database" in {one.area for one in found}
    assert RANDOM not in repr(found)
