"""Which application `tocsin serve` is told, and what it says when it can't be had."""

import sys

import pytest

from tocsin import StartError
from tocsin.cli.load_app import is_asgi, load_app

MODULE = """
def wsgi(environ, start_response): return []
async def asgi(scope, receive, send): pass
class Called:
    async def __call__(self, scope, receive, send): pass
called = Called()
class space: app = wsgi
def create_app(): return asgi
def broken(): return 1 / 0
number = 3
"""


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """A module of the current folder, which is not on the path yet."""
    (tmp_path / "hosts_of_a_test.py").write_text(MODULE)
    (tmp_path / "broken_of_a_test.py").write_text("import hosts_of_a_test\nimport nothing_of_the_kind\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield
    for name in ("hosts_of_a_test", "broken_of_a_test"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "asgi"), [("wsgi", False), ("asgi", True), ("called", True), ("space.app", False), ("create_app()", True)]
)
def test_kinds_are_told_apart(hosts, name, asgi):
    """Functions and objects, WSGI and ASGI, by name and by factory."""
    assert asgi is is_asgi(load_app(f"hosts_of_a_test:{name}"), name)


@pytest.mark.parametrize(
    ("name", "line", "status"),
    [
        ("hosts_of_a_test", "names no application", 2),
        ("hosts of a test:app", "names no application", 2),
        ("not_there_at_all:app", "not_there_at_all can't be imported: ModuleNotFoundError", 1),
        ("broken_of_a_test:app", r"No module named 'nothing_of_the_kind' \(.*broken_of_a_test.py:2\)", 1),
        ("hosts_of_a_test:missing", "has no 'missing'", 2),
        ("hosts_of_a_test:number()", r"can't be called: leave out the \(\)", 2),
        ("hosts_of_a_test:broken()", r"ZeroDivisionError: division by zero \(.*hosts_of_a_test.py:9\)", 1),
    ],
)
def test_what_cannot_be_had_is_one_line(hosts, name, line, status):
    """The line names what failed and where; what an application does at its import may work at the next attempt."""
    with pytest.raises(StartError, match=line) as caught:
        load_app(name)

    assert "\n" not in str(caught.value)
    assert status == caught.value.exit_status


@pytest.mark.parametrize(("name", "line"), [("number", "is no application"), ("create_app", r"say create_app\(\)")])
def test_what_is_no_application_is_told(hosts, name, line):
    """A number serves nothing, and a factory has to be called."""
    with pytest.raises(StartError, match=line) as caught:
        is_asgi(load_app(f"hosts_of_a_test:{name}"), name)

    assert 2 == caught.value.exit_status
