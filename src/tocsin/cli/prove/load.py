"""Producers and clients at work on a stack, and what they have done so far."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import jwt

from tocsin.cli.prove.client import Client
from tocsin.cli.prove.http import Http
from tocsin.cli.prove.journal import Journal
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.producer import Producer
from tocsin.cli.prove.route import Address
from tocsin.cli.prove.stack import Stack
from tocsin.cli.prove.timeline import Timeline

TOKEN_S = 24 * 3600
CONNECT_S = 60.0


class Load:
    """
    The load of one fault; belongs to one event loop.

    Args:
        run: A word of this run, so that its users are new to a database that is there.

    Attributes:
        run: The word of this run, which the ids of all its users begin with.
        users: Whom producers post to and clients belong to.
        clients: All clients, also those that a fault has added.
        producers: All producers, also those of a fault.
        acked: Acknowledged posts, by user.
        failures: Clients and producers that ended by themselves, in words.
    """

    def __init__(self, plan: Plan, stack: Stack, timeline: Timeline, run: str) -> None:
        self.plan = plan
        self.run = run
        self.users = [f"{run}.{number}" for number in range(plan.user_count)]
        self.clients: list[Client] = []
        self.producers: list[Producer] = []
        self.acked: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stack = stack
        self._timeline = timeline
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._journals: list[Journal] = []
        self._https: list[Http] = []
        self._due: dict[Client, str] = {}
        self._progress = asyncio.Event()
        self._gave_up = asyncio.Event()
        self._acked_keys: set[str] = set()
        self._granted = 0
        self._is_fault_over = False

    def token(self, user: str, scope: str = "") -> str:
        """Return a token of a user."""
        claims = {"sub": user, "exp": int(time.time()) + TOKEN_S, "scope": scope}
        return jwt.encode(claims, self._stack.secret, algorithm="HS256")

    # Clients

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Keep the clients of the plan connected, all of them at the beginning; close all journals at the end."""
        try:
            users = len(self.users)
            for number in range(self.plan.clients):
                # The devices of a user begin at different nodes.
                self.add_client(self.users[number % users], number % users + number // users)
            await self.all_synced(CONNECT_S)
            yield
        finally:
            await self._end()

    def add_client(self, user: str, home: int) -> Client:
        """Connect one more client; it is to show all that is acknowledged for its user, also what has been."""
        number = len(self.clients)
        journal = Journal(self._stack.folder / f"client-{user}-{number}.jsonl")
        self._journals.append(journal)
        route, on_show = self._stack.route(home), self._timeline.on_show
        epoch = next((client.epoch for client in self.clients), None)
        name, token = f"client {number} of {user}", self.token(user)
        open_link = self._stack.links[number % len(self._stack.links)]
        client = Client(name, route, token=token, journal=journal, on_show=on_show, epoch=epoch, open_link=open_link)
        self.clients.append(client)
        self._due[client] = user
        task = asyncio.create_task(client.run())
        task.add_done_callback(lambda _: self._gave_up.set())
        self._tasks[task] = client.name
        return client

    async def all_synced(self, limit_s: float) -> None:
        """
        Return when every client is connected and synced.

        Raises:
            TimeoutError: Not within ``limit_s``.
        """
        async with asyncio.timeout(limit_s):
            await asyncio.gather(*(client.is_synced.wait() for client in self.clients))

    def has_shown(self, due: Mapping[str, int]) -> bool:
        """Return whether each client has shown as many events as are due to its user."""
        return all(client.shown >= due.get(user, 0) for client, user in self._due.items())

    @property
    def has_lost_a_client(self) -> bool:
        """Return whether a client has ended by itself: what it was to show will not come."""
        return self._gave_up.is_set()

    async def watch_clients(self) -> None:
        """
        Never return; end with an error as soon as a client has.

        Raises:
            RuntimeError: A client ended by itself; ``failures`` tells at the end why.
        """
        await self._gave_up.wait()
        raise RuntimeError("a client gave up")

    # Producers

    def add_producer(self, name: str, home: int, keys: str | None = None) -> Producer:
        """
        Make one more back end.

        Args:
            name: Unique over the run.
            home: The node that it goes to first.
            keys: Its idempotency keys begin with this instead of its name; two
                producers with the same keys post the same, once in all.
        """
        journal = Journal(self._stack.folder / f"producer-{name}.jsonl")
        self._journals.append(journal)
        http = Http(self._stack.route(home))
        self._https.append(http)
        users = _turned(self.users, home)
        # Idempotency keys are their principal's: another run on the same database has others.
        token = self.token(self.run, "publish")
        producer = Producer(keys or name, http, journal, users=users, token=token, on_ack=self._on_ack)
        self.producers.append(producer)
        return producer

    async def post(self) -> None:
        """
        Let the plan's producers post, at least as much as it says and until ``fault_is_over``.

        Raises:
            ExceptionGroup: A producer was refused.
        """
        producers = [self.add_producer(f"p{number}", number) for number in range(self.plan.producers)]
        async with asyncio.TaskGroup() as group:
            for producer in producers:
                group.create_task(producer.run(self._may_post))

    def acked_by_node(self) -> Counter[Address]:
        """Return how many posts each node has acknowledged."""
        return sum((producer.acked_at for producer in self.producers), Counter())

    def fault_is_over(self) -> None:
        """End the posting as soon as the plan is fulfilled."""
        self._is_fault_over = True

    async def _may_post(self) -> bool:
        if self._is_fault_over and self._granted >= self.plan.posts:
            return False
        self._granted += 1
        if self.plan.rate is not None:
            # What a fault has held up is not caught up with.
            await asyncio.sleep(self.plan.producers / self.plan.rate)
        return True

    # Progress

    def _on_ack(self, key: str, user: str) -> None:
        if key in self._acked_keys:
            return
        self._acked_keys.add(key)
        self.acked[user] += 1
        self._timeline.on_ack()
        self._progress.set()

    async def acked_reach(self, number: int) -> None:
        """Return when at least ``number`` posts have been acknowledged."""
        while self.acked.total() < number:
            self._progress.clear()
            await self._progress.wait()

    async def _end(self) -> None:
        for task, name in self._tasks.items():
            if task.done():
                self.failures.append(f"{name} gave up: {'cancelled' if task.cancelled() else repr(task.exception())}")
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for journal in self._journals:
            journal.close()
        for http in self._https:
            http.close()


def _turned(users: list[str], number: int) -> list[str]:
    """Return the users beginning elsewhere, so that producers meet at all of them."""
    start = number % len(users)
    return users[start:] + users[:start]
