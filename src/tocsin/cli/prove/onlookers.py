"""Who watches a fault from outside: how long a notification takes, and who is said to be online."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from tocsin.cli.prove.client import Client
from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.journal import Journal
from tocsin.cli.prove.link import OpenLink, websocket
from tocsin.cli.prove.route import Route
from tocsin.cli.prove.scene import Scene

EVERY_S = 0.02
ARRIVE_S = 30.0
LOOK_S = 0.2
CONNECT_S = 30.0
SLOWER = 1.2
BUSY_MS = 10.0


@dataclass(slots=True)
class Latencies:
    """
    How long notifications took from the beginning of their POST to their arrival at a client.

    Attributes:
        ms: Of each, as they came.
        refused: How many were answered otherwise than 201, or not at all.
        missing: How many were accepted and did not come within ARRIVE_S.
    """

    ms: list[float] = field(default_factory=list)
    refused: int = 0
    missing: int = 0

    def __add__(self, other: "Latencies") -> "Latencies":
        return Latencies(self.ms + other.ms, self.refused + other.refused, self.missing + other.missing)

    def at(self, part: float) -> float:
        """Return what that part of them did not exceed: 0.5 for the median."""
        ordered = sorted(self.ms)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else float("inf")

    def is_like(self, usual: "Latencies") -> bool:
        """Return whether the slowest hundredth is as it was, give or take a fifth and what a busy machine does."""
        return self.at(0.99) <= SLOWER * usual.at(0.99) + BUSY_MS

    def __str__(self) -> str:
        said = f"p50 {self.at(0.5):.1f} ms, p99 {self.at(0.99):.1f} ms, longest {self.at(1.0):.0f} ms of {len(self.ms)}"
        return said + (f"; {self.refused} refused, {self.missing} missing" if self.refused or self.missing else "")


class Visitor:
    """
    A user of its own who is connected; an async context manager.

    Args:
        name: Of the user; unique in a run.
        home: Index of the node that it connects to.
        route: Another way to a node.
        open_link: How it talks to it.

    Attributes:
        user: Its id.
    """

    def __init__(
        self,
        scene: Scene,
        name: str,
        home: int = 0,
        *,
        route: Route | None = None,
        open_link: OpenLink = websocket,
    ) -> None:
        self.user = f"{scene.load.run}.{name}"
        self._arrived = asyncio.Event()
        self._journal = Journal(scene.stack.folder / f"{name}.jsonl")
        token = scene.token(self.user)
        self._client = Client(
            name,
            route or scene.stack.route(home),
            token=token,
            journal=self._journal,
            on_show=self._arrived.set,
            open_link=open_link,
        )
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._client.run())
        async with asyncio.timeout(CONNECT_S):
            await self._client.is_synced.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A closing handshake would wait for a node that can't be reached.
        self._client.cut()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._journal.close()


class Probe(Visitor):
    """
    A visitor to whom one notification after the other is sent.

    Args:
        posts_at: Index of the node that takes the posts.
    """

    def __init__(self, scene: Scene, name: str = "probe", home: int = 0, *, posts_at: int = 0) -> None:
        super().__init__(scene, name, home)
        self._http = scene.http(posts_at)
        self._headers = {"Authorization": f"Bearer {scene.token('prove', 'publish')}"}
        self._sent = 0

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        self._http.close()

    async def measure(self, seconds: float) -> Latencies:
        """Send for so long, each EVERY_S after the arrival of the one before; return what was measured."""
        found, until = Latencies(), time.monotonic() + seconds
        while time.monotonic() < until:
            await self._once(found)
            await asyncio.sleep(EVERY_S)
        return found

    async def _once(self, found: Latencies) -> None:
        self._sent += 1
        key = f"probe-{self._sent}"
        body = {"user_id": self.user, "type": "probe", "title": key, "message": "", "data": {"key": key}}
        self._arrived.clear()
        began = time.monotonic()
        if not await self._is_taken(key, body):
            found.refused += 1
            return
        try:
            async with asyncio.timeout(ARRIVE_S):
                await self._arrived.wait()
        except TimeoutError:
            found.missing += 1
        else:
            found.ms.append(1000 * (time.monotonic() - began))

    async def _is_taken(self, key: str, body: dict[str, Any]) -> bool:
        headers = {**self._headers, "Idempotency-Key": f"{self.user}.{key}"}
        for _ in range(2):
            # A server closes a connection that was idle for a while, maybe in this very moment.
            with contextlib.suppress(HttpError):
                return (await self._http.request("POST", "/api/notifications", body, headers)).status == 201
        return False


class Onlooker:
    """
    A user who asks over REST which of those that wrote to it are online.

    Args:
        route: To the node that is asked.
    """

    def __init__(self, scene: Scene, name: str, route: Route) -> None:
        self.user = f"{scene.load.run}.{name}"
        self._scene = scene
        self._http = Http(route)

    async def meet(self, user: str) -> None:
        """Be written to, so that the user may be seen."""
        headers = {"Authorization": f"Bearer {self._scene.token(user)}"}
        body = {"to_user_id": self.user, "message": "hello"}
        answer = await self._http.request("POST", "/api/chat/messages", body, headers)
        if answer.status != 201:
            raise RuntimeError(f"a chat message was answered {answer.status}: {answer.body[:300]!r}")

    async def sees(self, user: str) -> bool:
        """
        Return whether a user is online.

        Raises:
            HttpError: There was no answer, or a refusal.
        """
        headers = {"Authorization": f"Bearer {self._scene.token(self.user)}"}
        answer = await self._http.request("GET", f"/api/chat/presence?user_ids={quote(user)}", headers=headers)
        if answer.status != 200:
            raise HttpError(f"presence was answered {answer.status}")
        (seen,) = answer.json()["presence"]
        return bool(seen["is_online"])

    async def wait(self, user: str, *, is_online: bool, limit_s: float) -> float | None:
        """Return the seconds until a user is seen so; None: not within ``limit_s``."""
        began = time.monotonic()
        while time.monotonic() - began < limit_s:
            with contextlib.suppress(HttpError):
                if await self.sees(user) is is_online:
                    return time.monotonic() - began
            await asyncio.sleep(LOOK_S)
        return None

    def close(self) -> None:
        """Drop its connection."""
        self._http.close()


@contextlib.asynccontextmanager
async def onlooker(
    scene: Scene, name: str = "onlooker", home: int = 0, *, route: Route | None = None
) -> AsyncIterator[Onlooker]:
    """Give one who asks the node of that index, or goes another way to a node."""
    one = Onlooker(scene, name, route or scene.stack.route(home))
    try:
        yield one
    finally:
        one.close()
