"""Processes that serve no sockets publish by themselves: scripts, forks, workers; what a call returned for is there."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

PREAMBLE = """
import json, multiprocessing, os, signal, sys, threading, time
from tocsin.bootstrap import bridge_here
from tocsin.domain.stream import EventDraft

def publish(user_id, number):
    draft = EventDraft("/orders", "order_updated", (user_id,), b'{"order_id":%d}' % number)
    return bridge_here().hand_over(draft)
"""
DEADLINE_S = 60


@pytest.fixture
def database(tmp_path) -> Path:
    return tmp_path / "shared.db"


def start(code: str, database: Path, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PREAMBLE + code],
        env=clean | {"TOCSIN_DATABASE_URL": f"sqlite:///{database}"} | environment,
        cwd=database.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(code: str, database: Path, **environment: str) -> str:
    """Run a script to its end and return what it prints; nothing may go wrong."""
    process = start(code, database, **environment)
    try:
        out, err = process.communicate(timeout=DEADLINE_S)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert (0, "") == (process.returncode, err)
    return out


def wait_until(is_so: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not is_so():
        if worker.poll() is not None or time.monotonic() > end:
            raise AssertionError("the worker did not do its tasks")
        time.sleep(0.05)


def logged(database: Path) -> dict[str, list[int]]:
    """Return the order ids in each user's stream, in the order of the log."""
    streams: dict[str, list[int]] = {}
    connection = sqlite3.connect(database)
    try:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        for user_id, order_id in connection.execute(
            "SELECT user_id, payload ->> 'order_id' FROM tocsin_stream_event ORDER BY user_id, seq"
        ):
            streams.setdefault(user_id, []).append(order_id)
    finally:
        connection.close()
    return streams


def test_a_script_that_ends_after_its_call(database):
    """Nothing is lost, and the database is closed: no file is left beside it."""
    run('for n in range(20): publish("bob", n)', database)

    assert ["shared.db"] == [path.name for path in database.parent.iterdir()]
    assert {"bob": list(range(20))} == logged(database)


def test_a_process_killed_right_after_the_call(database):
    """The call returns after the commit: kill -9 takes nothing back."""
    process = start('for n in range(5): publish("bob", n)\nos.kill(os.getpid(), signal.SIGKILL)', database)
    process.communicate(timeout=DEADLINE_S)

    assert -signal.SIGKILL == process.returncode
    assert {"bob": list(range(5))} == logged(database)


def test_a_call_at_exit(database):
    """A handler that runs at the interpreter's exit may still publish."""
    run('import atexit\natexit.register(publish, "bob", 2)\npublish("bob", 1)', database)

    assert {"bob": [1, 2]} == logged(database)


def test_a_first_call_at_exit(database):
    """Also when it is the first one, or it says in one line that it can't."""
    out = run(
        """
import atexit

def last():
    try:
        publish("bob", 1)
        print("published")
    except Exception as error:
        print(error)

atexit.register(last)
""",
        database,
    )

    assert 1 == len(out.splitlines())
    if out == "published\n":
        assert {"bob": [1]} == logged(database)


def test_forks_among_threads_that_publish(database):
    """No connection crosses a fork: parent and children go on publishing, all is there, in order, once."""
    run(
        """
stop = threading.Event()
counts = {}

def work(name):
    number = 0
    while not stop.is_set():
        publish(name, number)
        number += 1
    counts[name] = number

threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(3)]
for thread in threads:
    thread.start()
children = []
for child in range(3):
    publish("parent", child)
    pid = os.fork()
    if not pid:
        for number in range(10):
            publish(f"child{child}", number)
        sys.exit(0) if child % 2 else os._exit(0)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
stop.set()
for thread in threads:
    thread.join()
assert codes == [0] * 3, codes
with open("counts", "w") as file:
    file.write(json.dumps(counts))
""",
        database,
    )
    counts = orjson.loads((database.parent / "counts").read_text())
    found = logged(database)

    assert {f"child{n}": list(range(10)) for n in range(3)} | {"parent": list(range(3))} == {
        user: numbers for user, numbers in found.items() if not user.startswith("thread")
    }
    assert {user: list(range(count)) for user, count in counts.items()} == {
        user: numbers for user, numbers in found.items() if user.startswith("thread")
    }


def test_multiprocessing_with_fork(database):
    """A pool of forked workers publishes what each task says."""
    run(
        """
def task(user_id, number):
    publish(user_id, number)

publish("parent", 0)
with multiprocessing.get_context("fork").Pool(3) as pool:
    pool.starmap(task, [(f"user{n % 5}", n) for n in range(30)])
publish("parent", 1)
""",
        database,
    )
    found = logged(database)

    assert [0, 1] == found.pop("parent")
    assert {f"user{n}": Counter(range(n, 30, 5)) for n in range(5)} == {
        user: Counter(numbers) for user, numbers in found.items()
    }


def test_threads_that_race_for_the_first_call(database):
    """They open one Core between them."""
    out = run(
        """
from tocsin.bootstrap import Core
opened = []
start = Core.start

async def count(core):
    opened.append(core)
    await start(core)

Core.start = count
go = threading.Barrier(16)

def work(name):
    go.wait()
    publish(name, 1)

threads = [threading.Thread(target=work, args=(f"u{n}",)) for n in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(opened))
""",
        database,
    )

    assert "1\n" == out
    assert {f"u{n}": [1] for n in range(16)} == logged(database)


def test_a_database_that_can_t_be_opened(database):
    """The caller is told in one line, and the next call tries again."""
    out = run(
        """
from tocsin import StartError
for attempt in range(2):
    try:
        publish("bob", attempt)
    except StartError as error:
        print(error)
os.mkdir("later")
publish("bob", 2)
""",
        database,
        TOCSIN_DATABASE_URL="sqlite:///later/shared.db",
    )

    assert 2 == out.count("can't be opened")
    assert 2 == len(out.splitlines())
    assert {"bob": [2]} == logged(database.parent / "later" / "shared.db")


def test_nobody_said_where(database):
    """Without a database of the server's nothing is written to some file of one's own."""
    out = run(
        """
from tocsin.domain.errors import NotInitialized
try:
    publish("bob", 1)
except NotInitialized as error:
    print(error)
""",
        database,
        TOCSIN_DATABASE_URL="",
    )

    assert "call init_websocket(app) or set TOCSIN_DATABASE_URL" in out
    assert [] == list(database.parent.iterdir())


def test_a_child_of_a_serving_process(database):
    """It is told at the call that SQLite does not survive the fork; its parent is not disturbed."""
    out = run(
        """
from tocsin import build
from tocsin.domain.errors import NotInitialized

service = build(jwt_secret="a secret for tests, of more than thirty-two bytes", port=0)
is_ready = threading.Event()
server = threading.Thread(target=service.run, kwargs={"on_ready": lambda url: is_ready.set()})
server.start()
is_ready.wait()
waiting = publish("bob", 0)
pid = os.fork()
if not pid:
    try:
        publish("bob", 1)
    except NotInitialized as error:
        print(error, flush=True)
    try:
        waiting.wait()
    except Exception as error:
        print(error, flush=True)
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
for number in range(2, 5):
    publish("bob", number).wait()
service.stop_serving()
server.join()
""",
        database,
    )

    assert 'start it afresh, as with multiprocessing.get_context("spawn")' in out
    assert "whether this was committed is not known" in out
    assert {"bob": [0, 2, 3, 4]} == logged(database)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no fork")
def test_a_fork_without_the_hooks_of_python(database):
    """As uWSGI forks: a child of a process that has published is told so and ends; one that forked before publishes."""
    out = run(
        """
import ctypes

def fork(number):
    pid = ctypes.PyDLL(None).fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
        return
    signal.alarm(20)
    try:
        publish("bob", number)
    except Exception as error:
        print(error, flush=True)
    sys.exit(0)

fork(1)
publish("bob", 2)
fork(3)
publish("bob", 4)
""",
        database,
    )

    assert "under uWSGI set lazy-apps = true" in out
    assert {"bob": [1, 2, 4]} == logged(database)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not tell its locks")
def test_a_database_that_the_host_kept_open_over_a_fork(database):
    """What SQLite would lose in the child is refused there, until the host has closed its connections."""
    out = run(
        """
import sqlite3
publish("bob", 0)
host = sqlite3.connect(os.environ["TOCSIN_DATABASE_URL"].removeprefix("sqlite:///"))
host.execute("SELECT count(*) FROM tocsin_stream_event").fetchall()
for attempt in range(2):
    pid = os.fork()
    if not pid:
        try:
            publish("bob", 1)
        except Exception as error:
            print(error, flush=True)
            host.close()
            publish("bob", 2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    host.close()
publish("bob", 3)
""",
        database,
    )

    assert "close the application's own connections before the fork" in out
    assert 1 == len(out.splitlines())
    assert {"bob": [0, 2, 1, 3]} == logged(database)


CELERY_TASKS = """
from celery import Celery
from tocsin.bootstrap import bridge_here
from tocsin.domain.stream import EventDraft

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
app.conf.update(task_ignore_result=True, worker_send_task_events=False)
# The parent has published before the pool forks, as an application does while it is imported.
bridge_here().hand_over(EventDraft("/orders", "order_updated", ("parent",), b'{"order_id":0}'))


@app.task
def publish(user_id, number):
    draft = EventDraft("/orders", "order_updated", (user_id,), b'{"order_id":%d}' % number)
    bridge_here().hand_over(draft)
"""


@pytest.mark.slow
def test_a_celery_worker(database):
    """Tasks of a prefork pool publish, whatever the parent did before the fork."""
    folder = database.parent
    (folder / "tasks.py").write_text(CELERY_TASKS)
    for name in ("queue", "control"):
        (folder / name).mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}
    environment |= {"TOCSIN_DATABASE_URL": f"sqlite:///{database}", "C_FORCE_ROOT": "1"}
    subprocess.run(
        [sys.executable, "-c", "import tasks\nfor n in range(20): tasks.publish.delay(f'user{n % 2}', n)"],
        cwd=folder,
        env=environment,
        check=True,
        timeout=DEADLINE_S,
    )
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool=prefork", "--concurrency=2"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=info"]
    with (folder / "worker.log").open("w") as log:
        worker = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: sum(map(len, logged(database).values())) >= 22, worker)
        worker.send_signal(signal.SIGTERM)
        worker.wait(DEADLINE_S)
    except BaseException:
        sys.stderr.write((folder / "worker.log").read_text())
        raise
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()

    found = logged(database)
    assert [0, 0] == found.pop("parent")
    assert {f"user{n}": Counter(range(n, 20, 2)) for n in range(2)} == {
        user: Counter(numbers) for user, numbers in found.items()
    }
