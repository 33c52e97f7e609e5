"""
One proof: producers and clients at work while the server is killed under them.

Faults beyond SIGKILL (database, network, disk, clock) are not injected here.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import jwt

from tocsin.cli.prove.checker import Verdict, check_folder
from tocsin.cli.prove.client import Client
from tocsin.cli.prove.http import Http
from tocsin.cli.prove.journal import Journal
from tocsin.cli.prove.producer import Producer
from tocsin.cli.prove.server import ServerProcess

TOKEN_S = 24 * 3600
CONNECT_S = 60.0
CATCH_UP_S = 15.0
DEVICES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What to do to the server.

    Attributes:
        kills: SIGKILLs, spread at random over the posts.
        posts: Notifications posted by all producers together.
        failpoint: ``TOCSIN_FAILPOINT`` of the first process: it kills itself there.
        seed: Of the moments of the kills.
    """

    kills: int = 20
    posts: int = 20_000
    producers: int = 8
    clients: int = 50
    failpoint: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of it.

    Attributes:
        rows: Notifications in all inboxes at the end, as REST counts them.
        caught_up_s: Seconds from the last start of the server, or the last
            acknowledgement if that was later, until every client had shown everything.
            None: not within CATCH_UP_S.
    """

    verdict: Verdict
    kills: int
    retries: int
    connects: int
    dropped: int
    resyncs: int
    rows: int
    duration_s: float
    caught_up_s: float | None

    @property
    def is_kept(self) -> bool:
        """Return whether the promise was kept, with no row too many or too few."""
        return self.verdict.is_kept and self.caught_up_s is not None and self.rows == self.verdict.acked


class Proof:
    """
    Runs a plan in a folder, which keeps the journals and the database.

    Args:
        say: Called with each line of progress.
    """

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self._secret = secrets.token_hex(32)
        self._server = ServerProcess(folder, self._secret)
        self._users = [f"user{number}" for number in range(max(1, plan.clients // DEVICES))]
        self._acked = 0
        self._progress = asyncio.Event()

    async def run(self) -> Outcome:
        """Carry out the plan and judge its journals."""
        if self._plan.failpoint is not None:
            self._server.environment["TOCSIN_FAILPOINT"] = self._plan.failpoint
        began = time.monotonic()
        await self._server.start()
        try:
            async with self._clients() as clients:
                retries = await self._post_and_kill()
                caught_up_s = await self._wait_until_shown(clients)
            rows = await self._count_rows()
        finally:
            await self._server.stop()
        return Outcome(
            verdict=check_folder(self._folder),
            kills=self._server.kills,
            retries=retries,
            connects=sum(client.connects for client in clients),
            dropped=sum(client.dropped for client in clients),
            resyncs=sum(client.resyncs for client in clients),
            rows=rows,
            duration_s=time.monotonic() - began,
            caught_up_s=caught_up_s,
        )

    def _token(self, user: str, scope: str = "") -> str:
        claims = {"sub": user, "exp": int(time.time()) + TOKEN_S, "scope": scope}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def _http(self) -> Http:
        return Http(self._server.host, self._server.port)

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[list[Client]]:
        journals, clients = [], []
        for number in range(self._plan.clients):
            user = self._users[number % len(self._users)]
            journals.append(Journal(self._folder / f"client-{user}-{number}.jsonl"))
            server = self._server
            clients.append(Client(server.host, server.port, self._token(user), journals[-1], self._http()))
        tasks = [asyncio.create_task(client.run()) for client in clients]
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.gather(*(client.is_synced.wait() for client in clients))
            self._say(f"{len(clients)} clients of {len(self._users)} users connected")
            yield clients
        finally:
            gone = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in gone:
                self._say(f"a client gave up: {'cancelled' if task.cancelled() else repr(task.exception())}")
            for journal in journals:
                journal.close()

    async def _post_and_kill(self) -> int:
        plan, token = self._plan, self._token("prove", "publish")
        journals = [Journal(self._folder / f"producer-{number}.jsonl") for number in range(plan.producers)]
        https = [self._http() for _ in range(plan.producers)]
        producers = [
            Producer(
                f"p{number}",
                https[number],
                journals[number],
                users=_turned(self._users, number),
                token=token,
                on_ack=self._on_ack,
            )
            for number in range(plan.producers)
        ]
        shares = [plan.posts // plan.producers + (n < plan.posts % plan.producers) for n in range(plan.producers)]
        async with asyncio.TaskGroup() as group:
            for producer, share in zip(producers, shares, strict=True):
                group.create_task(producer.run(share))
            killer = group.create_task(self._kill_at_times())
        assert killer.done()
        for journal in journals:
            journal.close()
        for http in https:
            http.close()
        return sum(producer.retries for producer in producers)

    def _on_ack(self) -> None:
        self._acked += 1
        self._progress.set()

    async def _kill_at_times(self) -> None:
        moments = random.Random(self._plan.seed)  # noqa: S311 - a run can be repeated
        if self._plan.failpoint is not None:
            await self._server.died()
            self._say(f"the server died at {self._plan.failpoint}, {self._acked} acknowledged")
            del self._server.environment["TOCSIN_FAILPOINT"]
            await self._server.start()
        for kill in range(self._plan.kills):
            await self._acked_reach(int(self._plan.posts * (kill + moments.random()) / self._plan.kills))
            # Off the acknowledgement by a random bit, so that the kill meets any point of a request.
            await asyncio.sleep(moments.uniform(0, 0.02))
            await self._server.kill()
            self._say(f"kill -9 no. {kill + 1}, {self._acked} acknowledged")
            await self._server.start()

    async def _acked_reach(self, number: int) -> None:
        while self._acked < number:
            self._progress.clear()
            await self._progress.wait()

    async def _wait_until_shown(self, clients: list[Client]) -> float | None:
        posted = self._posted_by_user()
        due = [posted[self._users[number % len(self._users)]] for number in range(len(clients))]
        began = time.monotonic()
        while time.monotonic() - began < CATCH_UP_S:
            if all(client.shown >= count for client, count in zip(clients, due, strict=True)):
                return time.monotonic() - began
            await asyncio.sleep(0.02)
        return None

    def _posted_by_user(self) -> Counter[str]:
        posted: Counter[str] = Counter()
        plan = self._plan
        for number in range(plan.producers):
            users = _turned(self._users, number)
            share = plan.posts // plan.producers + (number < plan.posts % plan.producers)
            posted.update(users[post % len(users)] for post in range(share))
        return posted

    async def _count_rows(self) -> int:
        http, rows = self._http(), 0
        for user in self._users:
            headers = {"Authorization": f"Bearer {self._token(user)}"}
            rows += (await http.request("GET", "/api/notifications/stats", headers=headers)).json()["total"]
        http.close()
        return rows


def _turned(users: list[str], number: int) -> list[str]:
    """Return the users beginning elsewhere, so that producers meet at all of them."""
    start = number % len(users)
    return users[start:] + users[:start]
