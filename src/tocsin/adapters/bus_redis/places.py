"""
Where the servers are: one by its address, a master that Sentinels name, or the masters of a Cluster by slot.

Knows nothing of what is said to them.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import shuffle
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection as Connection
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

ASK_S = 1.0
SLOTS = 16_384

_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
_PORT = 6379
_SENTINEL_PORT = 26_379


class Place(NamedTuple):
    """The address of a server; ``port`` is 0 for a socket in the file system."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


class Connecting:
    """
    Makes connections with the options of a URL.

    Attributes:
        first: The first address of the URL.
        secrets: What no log may show.
    """

    def __init__(self, url: str) -> None:
        pool = ConnectionPool.from_url(url)
        self.kind: type[Connection] = pool.connection_class
        self.options: dict[str, Any] = pool.connection_kwargs | {
            # Deadlines are ours: one of redis-py would end a subscription that has nothing to say.
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "health_check_interval": 0,
            "decode_responses": False,
            "protocol": 2,
        }
        self.secrets = {str(self.options.get("password") or "")} - {""}
        host = self.options.get("path") or self.options.get("host") or "localhost"
        self.first = Place(host, 0 if "path" in self.options else self.options.get("port", _PORT))
        self.to(self.first)

    def to(self, place: Place) -> Connection:
        """Return a connection that isn't made yet."""
        there = {"host": place.host, "port": place.port} if place.port else {}
        return self.kind(**self.options | there)


class Places(Protocol):
    """
    The servers that the bus is on.

    Attributes:
        connecting: Makes connections to them.
        known: Their addresses, as far as known.
        is_fixed: They never change.
    """

    connecting: Connecting
    known: frozenset[Place]
    is_fixed: bool

    def of(self, channel: str) -> Place | None:
        """Return the server of a channel; None: not known now."""

    async def look(self) -> bool:
        """
        Find out where they are now, and return whether that has changed.

        Raises:
            RedisError, OSError: Nobody can say; what was known stays.
        """

    async def close(self) -> None:
        """Let go of everything."""


class OneServer:
    """One address; see ``Places``."""

    is_fixed = True

    def __init__(self, url: str) -> None:
        self.connecting = Connecting(url)
        self.known = frozenset({self.connecting.first})

    def of(self, _channel: str) -> Place | None:
        """See ``Places``."""
        return self.connecting.first

    async def look(self) -> bool:
        """See ``Places``."""
        return False

    async def close(self) -> None:
        """See ``Places``."""


class SentinelMaster:
    """
    The master of a name, as the Sentinels have it; see ``Places``.

    Args:
        url: Of the first server as if it were the master, for the options.
        sentinels: Where they are.
        master: The name.
        login: ``username`` and ``password`` for the Sentinels themselves.
    """

    is_fixed = False

    def __init__(self, url: str, sentinels: Sequence[Place], master: str, login: dict[str, str]) -> None:
        self.connecting = Connecting(url)
        self.connecting.secrets |= {login["password"]} if "password" in login else set()
        self.known: frozenset[Place] = frozenset()
        self._master = master
        tls = {
            name: value
            for name, value in self.connecting.options.items()
            if name.startswith("ssl_") and issubclass(self.connecting.kind, SSLConnection)
        }
        # Deadlines, because nobody waits for news here; no retries, because the next Sentinel is asked instead.
        options = {"socket_timeout": ASK_S, "socket_connect_timeout": ASK_S, "retry": Retry(NoBackoff(), 0)}
        self._sentinels = Sentinel(  # type: ignore[no-untyped-call]
            list(sentinels),
            sentinel_kwargs=options | login | tls | {"ssl": issubclass(self.connecting.kind, SSLConnection)},
        )

    def of(self, _channel: str) -> Place | None:
        """See ``Places``."""
        return next(iter(self.known), None)

    async def look(self) -> bool:
        """See ``Places``."""
        host, port = await self._sentinels.discover_master(self._master)
        before, self.known = self.known, frozenset({Place(host, port)})
        return before != self.known

    async def close(self) -> None:
        """See ``Places``."""
        await self._sentinels.aclose()


class ClusterMasters:
    """
    The masters of a Cluster; see ``Places``.

    Args:
        url: Of the first server, for the options.
        seeds: Whom to ask at first.
    """

    is_fixed = False

    def __init__(self, url: str, seeds: Sequence[Place]) -> None:
        self.connecting = Connecting(url)
        self._seeds = seeds
        self._by_slot: list[Place | None] = [None] * SLOTS
        self.known: frozenset[Place] = frozenset()

    def of(self, channel: str) -> Place | None:
        """See ``Places``."""
        return self._by_slot[key_slot(channel.encode())]

    async def look(self) -> bool:
        """See ``Places``."""
        # Not always the same: one that is cut off from the others would tell old news for ever.
        known = list(self.known)
        shuffle(known)
        error: Exception = RedisConnectionError("no server is known")
        for place in dict.fromkeys([*known, *self._seeds]):
            try:
                return self._take(place, await self._ask(place))
            except (RedisError, OSError, TimeoutError) as reason:
                error = reason
        raise error

    async def _ask(self, place: Place) -> Any:
        connection = self.connecting.to(place)
        try:
            async with asyncio.timeout(ASK_S):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("CLUSTER", "SLOTS")
                return await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)

    def _take(self, asked: Place, ranges: Any) -> bool:
        by_slot: list[Place | None] = [None] * SLOTS
        for first, last, (host, port, *_), *_replicas in ranges:
            # A server that does not know its own address is where it was asked.
            name = host.decode() if host and host != b"?" else asked.host
            by_slot[first : last + 1] = [Place(name, port)] * (last + 1 - first)
        known = frozenset(place for place in by_slot if place is not None)
        if not known:
            raise RedisConnectionError("no server of the cluster has slots")
        before, self._by_slot, self.known = self._by_slot, by_slot, known
        return before != by_slot

    async def close(self) -> None:
        """See ``Places``."""


def open_places(url: str) -> Places:
    """
    Return the servers that a URL names; nothing is asked of them yet.

    ``redis://user:password@host:6379/0``, ``unix:///run/redis.sock``,
    ``redis+sentinel://host1:26379,host2/master/0?sentinel_password=…`` and
    ``redis+cluster://host1:7000,host2``; with TLS ``rediss``, and ``valkey`` for ``redis``.

    Raises:
        ValueError: The URL can't be read; the message holds nothing of it.
    """
    try:
        return _open(url)
    except (ValueError, TypeError, AttributeError, RedisError):
        # What it says may quote the password.
        raise ValueError(
            "must look like redis://user:password@localhost:6379/0, redis+sentinel://host1,host2/mymaster or "
            "redis+cluster://host1,host2, the password percent-encoded"
        ) from None


def _open(url: str) -> Places:
    scheme, _, rest = url.partition("://")
    scheme, _, kind = scheme.partition("+")
    scheme = _SCHEMES.get(scheme, scheme)
    if not kind:
        return OneServer(f"{scheme}://{rest}")
    parts = urlsplit(f"//{rest}")
    login, _, hosts = parts.netloc.rpartition("@")
    path, query = parts.path, parse_qs(parts.query, strict_parsing=bool(parts.query))
    own = {name: query.pop(f"sentinel_{name}")[0] for name in ("username", "password") if f"sentinel_{name}" in query}
    tail = f"?{urlencode(query, doseq=True)}" if query else ""

    def as_one(path: str, default_port: int) -> tuple[str, list[Place]]:
        places = [_place(host, default_port) for host in hosts.split(",")]
        return f"{scheme}://{f'{login}@' if login else ''}{hosts.split(',')[0]}{path}{tail}", places

    openers: dict[str, Callable[[], Places]] = {
        "cluster": lambda: ClusterMasters(*as_one(_no_path(path), _PORT)),
        "sentinel": lambda: _sentinel(path, as_one, own),
    }
    return openers[kind]() if kind in openers else _refuse()


def _sentinel(path: str, as_one: Callable[[str, int], tuple[str, list[Place]]], login: dict[str, str]) -> Places:
    _, master, *database = path.split("/")
    if not master or len(database) > 1 or not all(number.isdecimal() for number in database if number):
        _refuse()
    url, sentinels = as_one("".join(f"/{number}" for number in database), _SENTINEL_PORT)
    return SentinelMaster(url, sentinels, master, login)


def _no_path(path: str) -> str:
    return path if path in {"", "/", "/0"} else _refuse()


def _refuse() -> Any:
    raise ValueError


def _place(host: str, default_port: int) -> Place:
    parts = urlsplit(f"//{host}")
    return Place(parts.hostname or _refuse(), parts.port or default_port)
