"""The use-cases over a real store and the in-process bus."""

from dataclasses import dataclass, field

import pytest

from tocsin.adapters.bus_local import LocalBus
from tocsin.adapters.sql.sqlite import SqliteStore


@dataclass
class Heard:
    """What reached the node."""

    events: list = field(default_factory=list)
    ephemeral: list = field(default_factory=list)


@pytest.fixture
async def store(tmp_path):
    store = SqliteStore(str(tmp_path / "tocsin.db"))
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
def bus():
    return LocalBus()


@pytest.fixture
def heard(store, bus):
    heard = Heard()
    bus.subscribe(heard.events.extend, lambda *parts: heard.ephemeral.append(parts), lambda _: None)
    store.on_commit = bus.publish
    return heard
