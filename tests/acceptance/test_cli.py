"""The command line as a user runs it: processes, signals, one line when it can't work."""

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import httpx
import jwt
import orjson
import pytest
import socketio
from websockets.asyncio.client import connect

from tocsin import __version__
from tocsin.cli import main

SECRET = "a secret for the command line, long enough"
START_S = 60
EXIT_S = 30

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path):
    """An environment with a secret and a database, and none of the caller's settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}
    return inherited | {
        "TOCSIN_JWT_SECRET": SECRET,
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'cli.db'}",
        "TOCSIN_PORT": "0",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }


@pytest.fixture
def run(environment, tmp_path):
    def run_command(*arguments, **changes):
        return subprocess.run(
            [sys.executable, "-c", "from tocsin.cli import main; main()", *arguments],
            env=environment | changes,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    return run_command


@contextmanager
def serving(environment, folder, **changes):
    with subprocess.Popen(
        [sys.executable, "-c", "from tocsin.cli import main; main()", "serve"],
        env=environment | changes,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("Tocsin "), process.stderr.read()
            process.url = line.split()[-1]
            yield process
        finally:
            process.kill()


def token(user, scope=""):
    return jwt.encode({"sub": user, "exp": int(time.time()) + 600, "scope": scope}, SECRET, algorithm="HS256")


def test_the_version(run):
    """What somebody who reports a fault is asked for."""
    done = run("--version")

    assert (0, f"Tocsin {__version__}\n") == (done.returncode, done.stdout)


def test_serve_prints_its_url_and_serves(environment, tmp_path):
    """One line tells where the server is; REST answers there."""
    with serving(environment, tmp_path) as process:
        answer = httpx.get(f"{process.url}/readyz")

        assert answer.status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_peace(environment, tmp_path, number):
    """SIGTERM and SIGINT end an idle server at once, with status 0 and without a word."""
    with serving(environment, tmp_path) as process:
        process.send_signal(number)
        output, errors = process.communicate(timeout=EXIT_S)

    assert process.returncode == 0
    assert (output, errors) == ("", "")


async def connected(url, namespace, **handlers):
    """Return a client that stays away once it was sent away."""
    client = socketio.AsyncClient(reconnection=False)
    for event, handler in handlers.items():
        client.on(event, handler, namespace=namespace)
    await client.connect(url, auth={"token": token("7")}, namespaces=[namespace], transports=["websocket"])
    return client


def drains(url):
    """Return once the server says that it is not ready any more."""
    deadline = time.monotonic() + 30
    # A drain of few clients is over soon, and to load certificates takes as long.
    with httpx.Client(verify=False, trust_env=False) as client:
        while client.get(f"{url}/readyz").status_code == 200:
            assert time.monotonic() < deadline


async def test_clients_are_sent_away_before_the_exit(environment, tmp_path):
    """On SIGTERM connected clients hear server_draining, lose the transport, and the exit is clean."""
    heard = []
    with serving(environment, tmp_path, TOCSIN_DRAIN_S="0.5") as process:
        client = await connected(process.url, "/sns", server_draining=heard.append)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(client.wait(), EXIT_S)
        _, errors = await asyncio.to_thread(process.communicate, timeout=EXIT_S)

    assert process.returncode == 0
    assert [list(payload) for payload in heard] == [["retry_in"]]
    assert errors == ""


async def test_a_second_signal_cuts_the_drain_short(environment, tmp_path):
    """Who signals twice does not wait for the drain."""
    with serving(environment, tmp_path, TOCSIN_DRAIN_S="20") as process:
        # One leaves every 50 ms.
        where = f"ws{process.url[4:]}/socket.io/?EIO=4&transport=websocket"
        clients = [await connect(where, proxy=None) for _ in range(60)]
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(drains, process.url)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate, timeout=15)
        for client in clients:
            await asyncio.wait_for(client.wait_closed(), EXIT_S)

    assert process.returncode == 0


def test_committed_before_a_kill_is_there_after_it(environment, tmp_path):
    """What was answered 201 outlives kill -9."""
    headers = {"Authorization": f"Bearer {token('7', 'publish')}"}
    body = {"user_id": 7, "type": "t", "title": "t", "message": "m"}
    with serving(environment, tmp_path) as process:
        identity = httpx.post(f"{process.url}/api/notifications", headers=headers, json=body).json()["id"]
        process.kill()
    with serving(environment, tmp_path) as process:
        answer = httpx.get(f"{process.url}/api/notifications/{identity}", headers=headers)

        assert answer.status_code == 200


def refusal(finished):
    assert finished.returncode == 1, finished.stdout
    assert finished.stdout == ""
    assert finished.stderr.count("\n") == 1, finished.stderr
    assert finished.stderr.startswith("tocsin: ")
    return finished.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TOCSIN_JWT_SECRET": ""}, ["TOCSIN_JWT_SECRET", "openssl rand"]),
        ({"TOCSIN_JWT_SECRET": "hunter2"}, ["TOCSIN_JWT_SECRET", "32"]),
        ({"TOCSIN_JWT_SECRET": "", "TOCSIN_JWT_PUBLIC_KEY": "/no/file"}, ["TOCSIN_JWT_PUBLIC_KEY"]),
        ({"TOCSIN_PORT": "http"}, ["TOCSIN_PORT", "integer"]),
        ({"TOCSIN_CORS_ORIGINS": "app.example.com"}, ["TOCSIN_CORS_ORIGINS"]),
        ({"SOCKETIO_ASYNC_MODE": "eventlet"}, ["SOCKETIO_ASYNC_MODE", "asyncio"]),
        ({"SOCKETIO_PING_INTERVAL": "-1"}, ["SOCKETIO_PING_INTERVAL"]),
        ({"TOCSIN_DATABASE_URL": "mysql://localhost/x"}, ["TOCSIN_DATABASE_URL"]),
        ({"TOCSIN_WORKERS": "4"}, ["TOCSIN_WORKERS", "TOCSIN_DATABASE_URL=postgresql://", "TOCSIN_REDIS_URL=redis://"]),
        ({"TOCSIN_WORKERS": "0"}, ["TOCSIN_WORKERS"]),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_setting_that_cannot_work_is_one_line(monkeypatch, capsys, environment, tmp_path, *, changes, words):
    """A bad setting ends the start with status 2 and one line that names it, and shows no secret."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tocsin", "serve"])
    for name in ("TOCSIN_JWT_PUBLIC_KEY", *environment, *changes):
        if name.startswith(("TOCSIN_", "SOCKETIO_")):
            monkeypatch.setenv(name, (environment | changes).get(name, ""))
    with pytest.raises(SystemExit) as ended:
        main()
    line = capsys.readouterr().err

    assert 2 == ended.value.code
    assert 1 == line.count("\n")
    assert all(word in line for word in words)
    assert "hunter2" not in line


def test_an_address_of_another_machine_is_one_line(run):
    """An address that can't be listened on is told in one line."""
    assert "203.0.113.1" in refusal(run("serve", "--host", "203.0.113.1"))


def test_a_database_that_cannot_be_opened_is_one_line(run):
    """A database in a folder that isn't there is told in one line."""
    assert "/no/such/folder" in refusal(run("serve", TOCSIN_DATABASE_URL="sqlite:////no/such/folder/x.db"))


def test_a_taken_port_is_one_line(run):
    """A port that somebody has is told in one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert port in refusal(run("serve", "--port", port))


def test_a_file_that_is_no_database_is_one_line(run, tmp_path):
    """A database that can't be read is told in one line and left as it was."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear database, " * 500)

    assert "not a database" in refusal(run("serve", TOCSIN_DATABASE_URL=f"sqlite:///{path}"))
    assert path.read_text() == "Dear database, " * 500


def test_token_makes_what_the_server_accepts(run, environment, tmp_path):
    """`tocsin token` and `tocsin serve` share their settings."""
    made = run("token", "--user", "7", "--scope", "publish", "--ttl", "2h").stdout.strip()
    claims = jwt.decode(made, SECRET, algorithms=["HS256"])
    with serving(environment, tmp_path) as process:
        answer = httpx.get(f"{process.url}/api/notifications", headers={"Authorization": f"Bearer {made}"})

    assert answer.status_code == 200
    assert (claims["sub"], claims["scope"], claims["exp"] - claims["iat"]) == ("7", "publish", 7200)


def test_a_wrong_ttl_is_refused(run):
    """A ttl without a meaning makes no token."""
    finished = run("token", "--user", "7", "--ttl", "forever")

    assert finished.returncode == 2
    assert finished.stdout == ""


async def test_send_reaches_a_running_server(run, environment, tmp_path):
    """`tocsin send` beside a running server: a connected client gets it, by the sweep."""
    heard = asyncio.Queue()
    with serving(environment, tmp_path) as process:
        client = await connected(process.url, "/notifications", notification=heard.put)
        command = ["send", "7", "배송 🔔", "출발했습니다", "--category", "orders", "--data", '{"order_id": 5}']
        sent = await asyncio.to_thread(run, *command)
        payload = await asyncio.wait_for(heard.get(), 20)
        await client.disconnect()

    assert sent.returncode == 0, sent.stderr
    assert (payload["id"], payload["title"]) == (sent.stdout.strip(), "배송 🔔")
    assert (payload["data"], payload["category"]) == ({"order_id": 5}, "orders")


def test_a_notification_that_breaks_a_rule_is_not_sent(run):
    """The rules of the inbox hold on the command line."""
    assert "title" in refusal(run("send", "7", "t" * 201))


def test_upkeep_commands(run):
    """Upgrade, prune and a new epoch work on a database that nobody serves."""
    upgraded, pruned, first, second = (
        run(*words.split()) for words in ("db upgrade", "prune", "db new-epoch", "db new-epoch")
    )

    assert upgraded.stdout.startswith("schema ")
    assert pruned.returncode == 0, pruned.stderr
    assert re.fullmatch(r"epoch \w+\n", first.stdout)
    assert first.stdout != second.stdout


def test_trace_tells_why(run):
    """A line a step and one of the verdict, without a server; what only servers know is said to be so."""
    made = run("send", "alice", "Shipped", "secret words", "--priority", "low").stdout.strip()
    told = run("trace", made)
    as_json = orjson.loads(run("trace", made, "--json").stdout)

    assert "Not that anybody knows: no device has acknowledged it; nothing is pushed: the priority low" in told.stdout
    assert "stored as number 1 of the user's stream" in told.stdout
    assert "known to the servers alone" in told.stdout
    assert "secret words" not in told.stdout
    assert (as_json["notification_id"], as_json["state"]) == (made, "listed")


@pytest.mark.parametrize("command", [["trace"], ["export", "alice"]], ids=["trace", "export"])
def test_what_only_reads_waits_for_nobody_and_changes_nothing(run, tmp_path, command):
    """Beside a writer that takes its time; elsewhere than where the database is none is made."""
    made = run("send", "alice", "Shipped").stdout.strip()
    arguments = [*command, *([made] if command == ["trace"] else [])]
    with closing(sqlite3.connect(tmp_path / "cli.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        read = run(*arguments)
    nowhere = refusal(run(*arguments, TOCSIN_DATABASE_URL="sqlite:///other.db"))

    assert (0, "") == (read.returncode, read.stderr)
    assert "Shipped" in read.stdout
    assert "other.db can't be opened" in nowhere
    assert not (tmp_path / "other.db").exists()


def test_trace_of_nothing_is_one_line(run):
    """Said on stderr, with status 1."""
    run("db", "upgrade")
    found = run("trace", "7")

    assert (1, "", 1) == (found.returncode, found.stdout, found.stderr.count("\n"))
    assert "no id that this server gives out" in found.stderr
