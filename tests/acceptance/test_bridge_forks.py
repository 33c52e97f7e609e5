"""Processes that fork and publish: what a call returned for is there, and no child uses what is its parent's."""

from collections import Counter
from pathlib import Path

import orjson
import pytest

from tests.acceptance.publishers import logged, run


@pytest.fixture
def database(tmp_path) -> Path:
    return tmp_path / "shared.db"


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
