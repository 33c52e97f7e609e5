"""A host's sessions on a database of ours, and what its streams say."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.unit.models.log import Log, hosts_engine
from tocsin import bridge
from tocsin.adapters.sql.migrate import upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """Return where the tables are, on each database in turn."""
    return request.getfixturevalue("postgres_url" if request.param == "postgresql" else "sqlite_url")


@pytest.fixture
def sqlite_url(path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def path(tmp_path) -> str:
    path = str(tmp_path / "host.db")
    upgrade(path)
    return path


@pytest.fixture
def engine(url) -> Iterator[Engine]:
    with hosts_engine(url) as engine:
        yield engine


@pytest.fixture
def new_session(engine) -> Iterator[Callable[..., Session]]:
    """Open sessions; all are closed after the test."""
    opened: list[Session] = []

    def open_one(**options) -> Session:
        opened.append(Session(engine, **options))
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture
def session(new_session) -> Session:
    return new_session()


@pytest.fixture
def log(url) -> Log:
    return Log(url)


class FakeBridge:
    """Stands for the service that runs in the process: remembers which streams it was told of."""

    core = None

    def __init__(self) -> None:
        self.woken = []

    def wake(self, keys):
        self.woken.append([tuple(key) for key in keys])


@pytest.fixture
def woken() -> Iterator[list]:
    """Return what the commits of a test have woken so far, one list each."""
    fake = FakeBridge()
    bridge.attach(fake)
    yield fake.woken
    bridge.detach(fake)
