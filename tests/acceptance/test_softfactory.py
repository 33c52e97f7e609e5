"""The example's database: made by its own migrations, and what the server expects. A browser tests its page."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "softfactory"


def run(state: Path, *command: str, **env: str) -> str:
    settings = ("TOCSIN_", "SOCKETIO_", "FLASK_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    done = subprocess.run(
        command,
        cwd=EXAMPLE,
        env=inherited | {"SOFTFACTORY_STATE": str(state)} | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def flask(state: Path, *command: str) -> str:
    return run(state, sys.executable, "-m", "flask", "--app", "backend.app", *command)


def schema(state: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(state / "softfactory.db") as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """Return a state folder whose database ``flask db upgrade`` has made."""
    folder = tmp_path_factory.mktemp("softfactory")
    flask(folder, "db", "upgrade")
    return folder


def test_migrations_make_every_table(state):
    """The migrations that are checked in leave nothing for ``flask db migrate`` to find."""
    assert "No new upgrade operations detected" in flask(state, "db", "check")


def test_own_upgrade_changes_nothing(state):
    """``tocsin db upgrade`` finds the tables of the host's migrations and leaves them as they are."""
    before = schema(state)

    run(
        state,
        str(Path(sys.executable).with_name("tocsin")),
        "db",
        "upgrade",
        TOCSIN_DATABASE_URL=f"sqlite:///{state / 'softfactory.db'}",
    )

    assert before == schema(state)


def test_seed_needs_no_server(state):
    """``flask seed`` publishes from a process that serves nobody, once, and leaves no error."""
    first = flask(state, "seed")
    second = flask(state, "seed")

    with sqlite3.connect(state / "softfactory.db") as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("users", "orders", "tocsin_notification", "tocsin_message")
        ]
    assert [2, 2, 2, 2] == counts
    assert "Traceback" not in first + second


def test_secret_is_the_owners_alone(state):
    """Nobody else on the machine can read the secret that signs the tokens."""
    assert 0o600 == (state / "secret").stat().st_mode & 0o777


@pytest.mark.slow
def test_its_own_tests_pass(tmp_path):
    """The example's tests, which use the fixtures that Tocsin brings, pass as an application's would."""
    told = run(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio")

    assert " passed" in told
