"""Processes that serve no sockets publish: scripts, threads, Celery; what a call returned for is there."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.publishers import DEADLINE_S, logged, run, start, wait_until


@pytest.fixture
def database(tmp_path) -> Path:
    return tmp_path / "shared.db"


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


def test_a_server_in_a_thread_ends_with_the_main_thread(database):
    """A test that fails before its `stop()` leaves no process behind; what was published is there."""
    code = """
import tocsin
service = tocsin.build(jwt_secret="a secret of at least thirty-two bytes", port=0)
ready = threading.Event()
threading.Thread(target=service.run, kwargs={"on_ready": lambda url: ready.set()}).start()
ready.wait()
publish("bob", 1)
raise AssertionError("a test failed")
"""
    process = start(code, database)
    try:
        _, err = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()

    assert 1 == process.returncode
    assert "a test failed" in err
    assert {"bob": [1]} == logged(database)


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
