"""
A process full of clients: ``python -m bench.soak.swarm``, with its orders as JSON on the first line of stdin.

Some poll, some upgrade, some read slowly; at every moment some are cut, some
leave for a while and come back with their cursor; each acknowledges what it
shows, and some users read their inbox over REST. It tells a line of JSON every
few seconds, and on ``end`` its tally, once everybody has all or time is up.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import jwt
import uvloop

from bench.soak.histogram import Histogram
from bench.soak.tally import Shown
from tocsin.cli.prove.client import Client
from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.journal import Entry, Journal
from tocsin.cli.prove.link import Link, OpenLink, polling, upgrading, websocket
from tocsin.cli.prove.route import Address, Route

TELL_EVERY_S = 5.0
TOKEN_S = 24 * 3_600
SLOW_EVERY, SLOW_S = 50, (0.5, 4.0)
AWAY_S = (1.0, 60.0)
READERS = 4
CATCH_UP_S = 90.0
ARRIVALS_AT_ONCE = 100
# Of twenty clients: one polls, one upgrades, one is slow; the others have a WebSocket.
_KINDS = 20


@dataclass(frozen=True, slots=True)
class Orders:
    """
    What a swarm is to do.

    Attributes:
        port: Of the server.
        secret: Of its tokens.
        epoch: Of its log, which everybody shows from the first event on.
        first: Number of its first client.
        clients: How many.
        users: To whom all clients of all swarms belong, in turn.
        churn: Share of the clients that is cut or leaves in a second.
        reads_per_s: Requests of inboxes.
        seed: Of what is drawn.
    """

    port: int
    secret: str
    epoch: str
    first: int
    clients: int
    users: int
    churn: float
    reads_per_s: float
    seed: int


def user_id(number: int) -> str:
    """Return the id of a user."""
    return f"soak-{number}"


def token(secret: str, user: str, scope: str = "") -> str:
    """Return a token of a user."""
    return jwt.encode({"sub": user, "exp": int(time.time()) + TOKEN_S, "scope": scope}, secret, "HS256")


class _Nothing(Journal):
    """Keeps nothing: the tally does."""

    def __init__(self) -> None:
        pass

    def write(self, entry: Entry) -> None:
        pass


class _Slow:
    """A link that stops reading now and then; implements ``Link``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def recv(self) -> str:
        if random.randrange(SLOW_EVERY) == 0:
            await asyncio.sleep(random.uniform(*SLOW_S))
        return await self._link.recv()

    async def send(self, packet: str) -> None:
        await self._link.send(packet)

    def abort(self) -> None:
        self._link.abort()


@contextlib.asynccontextmanager
async def slow(address: Address) -> AsyncIterator[Link]:
    """Open a link over a WebSocket that reads slowly."""
    async with websocket(address) as link:
        yield _Slow(link)


class Walker(Client):
    """A client that keeps a tally; ``latencies`` counts what came while it was there."""

    def __init__(self, user: int, route: Route, orders: Orders, latencies: Histogram, open_link: OpenLink) -> None:
        name = user_id(user)
        super().__init__(
            name,
            route,
            token=token(orders.secret, name),
            journal=_Nothing(),
            on_show=lambda: None,
            epoch=orders.epoch,
            open_link=open_link,
            ack_every=1,
        )
        self.user = user
        self.tally = Shown()
        self._latencies = latencies
        self._is_timed = open_link is not slow

    def _show(self, payload: dict[str, Any]) -> None:
        self._last_seq = payload["seq"]
        self.shown += 1
        data = payload.get("data")
        number: int | None = None
        if isinstance(data, dict) and "soak" in data:
            number, posted_ns = data["soak"]
            if self._is_timed and self.is_synced.is_set():
                self._latencies.add((time.monotonic_ns() - posted_ns) / 1e6)
        self.tally.add(payload["seq"], payload["event_id"], number)


class Swarm:
    """The clients of one process; belongs to one event loop."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._draw = random.Random(orders.seed)
        self._latencies = Histogram()
        self._address = Address("127.0.0.1", orders.port)
        self._tasks: dict[Walker, asyncio.Task[None]] = {}
        self._tokens: dict[str, str] = {}
        self._reads = 0
        self._failed_reads = 0
        kinds: dict[int, OpenLink] = {0: polling, 1: upgrading, 2: slow}
        self._walkers = [
            Walker(
                number % orders.users,
                Route([self._address], 0),
                orders,
                self._latencies,
                # A user's clients are of different kinds.
                kinds.get((number + number // orders.users) % _KINDS, websocket),
            )
            for number in range(orders.first, orders.first + orders.clients)
        ]

    async def run(self, lines: asyncio.StreamReader) -> None:
        """Do as ordered until a line comes that holds how many posts each user has; then tell the tally."""
        for number, walker in enumerate(self._walkers):
            self._come(walker)
            if number % ARRIVALS_AT_ONCE == 0:
                await asyncio.sleep(0.2)
        busy = [
            asyncio.create_task(one) for one in (self._churn(), self._tell(), *(self._read() for _ in range(READERS)))
        ]
        due: list[int] = json.loads(await lines.readline())
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        for walker in self._walkers:
            self._come(walker)
        until = time.monotonic() + CATCH_UP_S
        while time.monotonic() < until and not all(self._has_all(walker, due) for walker in self._walkers):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        self._tell_end()

    def _has_all(self, walker: Walker, due: list[int]) -> bool:
        return walker.tally.numbers.value.bit_count() >= due[walker.user]

    def _come(self, walker: Walker) -> None:
        if walker not in self._tasks:
            self._tasks[walker] = asyncio.create_task(walker.run())

    async def _churn(self) -> None:
        while True:
            await asyncio.sleep(self._draw.expovariate(self._orders.churn * len(self._walkers)))
            walker = self._draw.choice(self._walkers)
            if walker not in self._tasks:
                continue
            if self._draw.random() < 0.5:
                walker.cut()
            else:
                self._tasks.pop(walker).cancel()
                asyncio.get_running_loop().call_later(self._draw.uniform(*AWAY_S), self._come, walker)

    async def _read(self) -> None:
        http = Http(Route([self._address], 0))
        while True:
            await asyncio.sleep(self._draw.expovariate(self._orders.reads_per_s / READERS))
            user = user_id(self._draw.randrange(self._orders.users))
            headers = {"Authorization": f"Bearer {self._token_of(user)}"}
            self._reads += 1
            try:
                answer = await http.request("GET", "/api/notifications?limit=20", headers=headers)
            except HttpError:
                self._failed_reads += 1
            else:
                self._failed_reads += answer.status != 200

    def _token_of(self, user: str) -> str:
        # As a page does, which asks for a token once an hour.
        if user not in self._tokens:
            self._tokens[user] = token(self._orders.secret, user)
        return self._tokens[user]

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            counts = sorted(self._latencies.counts.items())
            self._latencies.counts.clear()
            print(json.dumps({"latencies": counts, **self._told()}), flush=True)

    def _told(self) -> dict[str, int]:
        walkers = self._walkers
        return {
            "connected": sum(walker.is_synced.is_set() for walker in walkers),
            "shown": sum(walker.shown for walker in walkers),
            "sessions": sum(walker.connects for walker in walkers),
            "gaps": sum(walker.gaps for walker in walkers),
            "dropped": sum(walker.dropped for walker in walkers),
            "resyncs": sum(walker.resyncs for walker in walkers),
            "reads": self._reads,
            "failed_reads": self._failed_reads,
        }

    def _tell_end(self) -> None:
        ended = [repr(task.exception()) for task in self._tasks.values() if task.done() and not task.cancelled()]
        tallies = [
            {**asdict(walker.tally), "numbers": walker.tally.numbers.hex(), "chain": walker.tally.chain.hex()}
            for walker in self._walkers
        ]
        users = [walker.user for walker in self._walkers]
        print(json.dumps({"end": tallies, "users": users, "gave_up": ended, **self._told()}), flush=True)


async def _main() -> None:
    lines = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await Swarm(Orders(**json.loads(await lines.readline()))).run(lines)


if __name__ == "__main__":
    uvloop.run(_main())
