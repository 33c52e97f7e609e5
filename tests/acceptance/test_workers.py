"""``TOCSIN_WORKERS``: several processes on one port, as an operator starts them and as clients see them."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect

from tests.acceptance.rolling_load import load
from tests.acceptance.stock_clients import TRANSPORTS, stock_client
from tests.acceptance.wire_socket import connected, eventually
from tests.conftest import SECRET
from tests.processes import environment, running, serving
from tocsin import Settings
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.adapters.sql.migrate import _ADVISORY_LOCK
from tocsin.domain.user_id import UserId

# Three processes to start, on a machine that may be busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NS = "/notifications"
_SETTINGS = Settings(_env_file=None, jwt_secret=SECRET)


def token(user, scope=""):
    """Return a token that the servers of these tests take."""
    return issue_token(_SETTINGS, UserId(user), ttl_s=600, scope=scope)


def settings_of(folder, database_url, redis_url, **more):
    """Return the environment of a server of three workers."""
    return environment(
        folder / "unused.db",
        TOCSIN_DATABASE_URL=database_url,
        TOCSIN_REDIS_URL=redis_url,
        TOCSIN_WORKERS="3",
        TOCSIN_LOG_LEVEL="warning",
        **more,
    )


@pytest.fixture
def env(tmp_path, postgres_url, redis_url):
    return settings_of(tmp_path, postgres_url, redis_url)


@pytest.fixture(scope="module")
def node(tmp_path_factory, migrated_url, redis_url):
    """Return a server that tests share: its process, with ``url`` and the file of its ``errors``."""
    folder = tmp_path_factory.mktemp("node")
    command = (sys.executable, "-c", "from tocsin.cli import main; main()", "serve", "--port", "0")
    env = settings_of(folder, migrated_url, redis_url, TOCSIN_DRAIN_S="1")
    with (
        (folder / "errors").open("wb") as errors,
        subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        process.url = process.stdout.readline().decode().split()[-1]
        process.errors = folder / "errors"
        yield process
        process.terminate()
        assert 0 == process.wait(40)


def children(pid):
    """Return the processes that a process has started, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def publish(url, user, title):
    """Publish over a connection of its own, which any worker may get; return the status."""
    body = {"user_id": user, "type": "t", "title": title, "message": ""}
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:
        headers = {"Authorization": f"Bearer {token('shop', 'publish')}"}
        return (await http.post("/api/notifications", json=body, headers=headers)).status_code


async def request(url, method, query, body=None):
    """Send one polling request over a connection of its own."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:
        return await http.request(method, f"/socket.io/?EIO=4&transport=polling{query}", content=body)


@pytest.mark.parametrize("kind", ["4.8", "4.5", "python"])
async def test_stock_clients_are_served_whichever_worker_they_meet(kind, node):
    """Polling, WebSocket, and the one after the other: each hears what any worker was told."""
    url = node.url
    async with AsyncExitStack() as stack:
        clients = []
        for transports in [*TRANSPORTS.values(), TRANSPORTS["upgrade"]]:
            client = await stack.enter_async_context(stock_client(kind))
            await client.open(url, [NS], transports, {"token": token("alice")})
            await client.next(NS, "synced")
            clients.append(client)
        statuses = [await publish(url, "alice", f"{n}") for n in range(6)]
        heard = [[(await client.next(NS, "notification"))[0]["title"] for _ in range(6)] for client in clients]

        assert [201] * 6 == statuses
        assert [[f"{n}" for n in range(6)]] * 4 == heard
        assert ["websocket", "polling", "websocket", "websocket"] == [await client.transport() for client in clients]


async def test_each_request_of_a_polling_session_may_meet_another_worker(node):
    """Every request is on a new connection: those of one session all get to its worker, bodies and answers whole."""
    url = node.url
    owners = set()
    for n in range(12):
        sid = (await request(url, "GET", "")).text.split('"')[3]
        owners.add(sid.partition(".")[0])
        text = f'40{NS},{{"token":"{token(f"user {n}")}","padding":"{"대" * 20_000}"}}'
        assert "ok" == (await request(url, "POST", f"&sid={sid}", text.encode())).text
        answer = (await request(url, "GET", f"&sid={sid}")).text
        assert answer.startswith(f"40{NS}"), answer[:100]

    assert {"1", "2", "3"} >= owners
    assert len(owners) > 1


async def test_a_websocket_takes_its_session_over_whichever_worker_it_meets(node):
    """It is handed to the session's worker with its connection, and what the client had said already."""
    for n in range(12):
        sid = (await request(node.url, "GET", "")).text.split('"')[3]
        await request(node.url, "POST", f"&sid={sid}", f'40{NS},{{"token":"{token(f"user {n}")}"}}'.encode())
        async with connect(
            f"ws{node.url[4:]}/socket.io/?EIO=4&transport=websocket&sid={sid}", proxy=None, max_size=None
        ) as socket:
            await socket.send("2probe")
            assert "3probe" == await asyncio.wait_for(socket.recv(), 20)
            await socket.send("5")
            assert (await asyncio.wait_for(socket.recv(), 20)).startswith(f"40{NS}")
            await socket.send(f'42{NS},1["mark_all_read"]')
            while not (packet := await asyncio.wait_for(socket.recv(), 20)).startswith(f"43{NS},1"):
                assert packet.startswith(f"42{NS}"), packet


async def test_what_a_worker_refuses_is_refused_over_another_one(node):
    """A malformed body ends the session with 400, and one that never was, or whose worker is no more, is unknown."""
    url = node.url
    for _ in range(8):
        sid = (await request(url, "GET", "")).text.split('"')[3]
        assert 400 == (await request(url, "POST", f"&sid={sid}", b"nonsense")).status_code
        unknown = [(await request(url, "GET", f"&sid={wrong}")).json() for wrong in (sid, "99.x", "1.x", "x")]

        assert [1] * 4 == [one["code"] for one in unknown]


async def test_connections_are_spread(node):
    """Of many connections each worker gets some."""
    url = node.url
    sids = [(await request(url, "GET", "")).text.split('"')[3] for _ in range(60)]

    assert {"1", "2", "3"} == {sid.partition(".")[0] for sid in sids}


async def test_a_killed_worker_is_replaced_and_nobody_is_refused(node):
    """While a worker dies and the next one starts, each publish is answered; the log names who died of what."""
    url = node.url
    before = children(node.pid)
    os.kill(before[1], signal.SIGKILL)
    statuses = [await publish(url, "alice", f"{n}") for n in range(20)]
    await eventually(lambda: len(children(node.pid)) == 3)
    await eventually(lambda: asyncio.to_thread(lambda: "SIGKILL" in node.errors.read_text()))
    log = node.errors.read_text()
    statuses += [await publish(url, "alice", f"{n}") for n in range(20)]

    assert [201] * 40 == statuses
    assert re.search(rf"worker 2 \(process {before[1]}\) has ended: killed by SIGKILL", log)
    assert before[1] not in children(node.pid)


async def test_a_worker_that_hangs_is_replaced(env, tmp_path):
    """One whose loop stands still, and one that can't even die of that; the log has the line in which it was."""
    (tmp_path / "host.py").write_text(
        "import time\n\n\nasync def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n        time.sleep(1_000)  # here it hangs\n"
    )
    hasty = "import tocsin.rest.seat as seat\nseat.BEAT_S = 1.0\nfrom tocsin.cli import main\nmain()"
    command = (sys.executable, "-c", hasty, "serve", "host:app", "--port", "0")
    async with running(tmp_path, *command, env=env) as process:
        url = (await process.line()).rpartition(" ")[2]
        os.kill(children(process.pid)[0], signal.SIGSTOP)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get("/hang", timeout=60)
        await eventually(lambda: process.errors.read_text().count("another takes its place") >= 2, 120)
        statuses = [await publish(url, "alice", f"{n}") for n in range(20)]
        log = process.errors.read_text()

    assert [201] * 20 == statuses
    assert 2 <= log.count("hangs: its event loop has not turned for 12 s")
    assert re.search(r'File ".*host\.py", line 6 in app', log)
    assert "killed by SIGABRT" in log
    assert "killed by SIGKILL" in log


async def test_sighup_replaces_the_workers_and_nothing_is_refused_or_lost(node):
    """Under load each publish is answered 201, and every device hears it once; all it does is to come back."""
    before = children(node.pid)
    async with load(node.url, token) as loaded:
        await eventually(lambda: len(loaded.titles) > 20)
        node.send_signal(signal.SIGHUP)
        await eventually(lambda: not set(before) & set(children(node.pid)), 120)
        seen = len(loaded.titles)
        await eventually(lambda: len(loaded.titles) > seen + 20)

    assert {201} == set(loaded.answers)
    assert loaded.comings > len(loaded.heard)
    for titles in loaded.heard:
        assert sorted(loaded.titles) == sorted(titles)
        assert titles == loaded.heard[0]


async def test_without_its_supervisor_no_worker_stays(env, tmp_path):
    """Or the port would be taken for the next one."""
    async with serving(tmp_path, env) as (url, process):
        workers = children(process.pid)
        await process.stop(signal.SIGKILL)

        await eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
        with pytest.raises(httpx.ConnectError):
            await publish(url, "alice", "anybody there?")


async def test_workers_serve_a_flask_application_with_its_events(env, tmp_path):
    """Also where its name stands behind ``--``; an event of a client is handled by the application."""
    env |= {"PYTHONPATH": str(Path(__file__).parents[2]), "TOCSIN_WORKERS": "2"}
    command = (sys.executable, "-c", "from tocsin.cli import main; main()", "serve", "--port", "0", "--")
    async with (
        running(tmp_path, *command, "tests.acceptance.flask_host:app", env=env) as process,
        stock_client("4.8") as client,
    ):
        url = (await process.line()).rpartition(" ")[2]
        assert 2 == len(children(process.pid))
        await client.open(url, ["/", "/sns"], ["polling", "websocket"], {"token": token("7")})
        await client.next("/sns", "synced")
        assert "flask_host" in (await client.ask("/", "message", "hello"))["application"]
        for _ in range(4):
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
                await http.get("/publish/7")
            assert await client.next("/sns", "publish_success")


async def test_a_migration_is_waited_for(env, tmp_path, postgres_url):
    """Here another node is at it, for longer than a worker may be silent at its start."""
    hasty = (
        "import tocsin.cli.workers.worker as worker, tocsin.rest.seat as seat\nworker.READY_S = 12.0\n"
        "seat.BEAT_S = 1.0\nfrom tocsin.cli import main\nmain()"
    )
    command = (sys.executable, "-c", hasty, "serve", "--port", "0")
    with psycopg.connect(postgres_url) as another:
        another.execute(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        async with running(tmp_path, *command, env=env) as process:
            await asyncio.sleep(15)
            another.rollback()
            url = (await process.line()).rpartition(" ")[2]
            assert 201 == await publish(url, "alice", "hello")

    assert "" == process.errors.read_text()


async def test_what_no_worker_can_mend_ends_the_start(env, tmp_path):
    """A database that is not there is told once, by one worker, and nothing is tried again."""
    env["TOCSIN_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:9/nothing"
    with pytest.raises(AssertionError, match=r"^tocsin: the database .* can't be opened[^\n]*\n$"):
        async with serving(tmp_path, env):
            pass


async def test_a_setting_that_only_a_worker_misses_ends_the_start_for_good(env, tmp_path):
    """With status 2, as one process does: systemd need not try again each second."""
    command = (sys.executable, "-c", "from tocsin.cli import main; main()", "serve", "--port", "0")
    async with running(tmp_path, *command, env=env | {"TOCSIN_JWT_SECRET": ""}) as process:
        async with asyncio.timeout(120):
            assert 2 == await process._process.wait()

        assert process.errors.read_text().startswith("tocsin: TOCSIN_JWT_SECRET is not set")


async def test_a_signal_drains_all_and_each_client_comes_back_elsewhere(env, tmp_path):
    """SIGTERM: every client hears server_draining, and the exit is in peace."""
    async with serving(tmp_path, env | {"TOCSIN_DRAIN_S": "1"}) as (url, process), AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connected(url, NS, token(f"user {n}"))) for n in range(12)]
        stopped = asyncio.create_task(process.stop())
        for socket in sockets:
            assert (await socket.payload(NS, "server_draining"))["retry_in"] <= 1
            await asyncio.wait_for(socket.closed.wait(), 20)

        assert 0 == await stopped
        assert "" == process.errors.read_text()


async def test_a_scrape_tells_of_all_workers(node):
    """Whichever it meets; each has series of its own, and what they are asked adds up."""
    async with AsyncExitStack() as stack:
        for number in range(12):
            await stack.enter_async_context(connected(node.url, NS, token(f"scraped-{number}")))
        for _ in range(4):
            async with httpx.AsyncClient(base_url=node.url, trust_env=False) as http:
                text = (await http.get("/metrics")).text
            users = dict(re.findall(r'^tocsin_users\{worker="(\d+)"\} (\S+)$', text, re.MULTILINE))
            assert 3 == len(users)
            assert 12 <= sum(map(float, users.values()))
            accepting = re.findall(r'^tocsin_accepting\{worker="\d+"\} (\S+)$', text, re.MULTILINE)
            assert ["1.0"] * 3 == accepting
            assert 3 == len(re.findall(r'^tocsin_bus_connected\{worker="\d+"\} 1.0$', text, re.MULTILINE))
            assert 3 == len(re.findall(r'^process_resident_memory_bytes\{worker="\d+"\}', text, re.MULTILINE))
