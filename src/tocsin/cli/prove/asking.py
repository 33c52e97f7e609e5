"""Requests of a fault's own to one node, to see what it answers while it is hurt."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tocsin.cli.prove.http import Answer, Http, HttpError
from tocsin.cli.prove.node import Node
from tocsin.cli.prove.route import Route
from tocsin.cli.prove.scene import Scene

EVERY_S = 0.1
GIVE_UP_S = 25.0


@dataclass(slots=True)
class Answers:
    """
    What a node said to one kind of request for a while.

    Attributes:
        statuses: How often each came; 0 stands for none.
        slowest_s: The longest that one took, or had to wait in vain.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0

    def __add__(self, other: "Answers") -> "Answers":
        return Answers(self.statuses + other.statuses, max(self.slowest_s, other.slowest_s))

    @property
    def accepted(self) -> int:
        """Return how many were answered 2xx."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)

    def __str__(self) -> str:
        said = ", ".join(f"{count}x {status or 'no answer'}" for status, count in sorted(self.statuses.items()))
        return f"{said or 'nothing asked'}, the slowest after {self.slowest_s:.1f} s"


class Asker:
    """
    Posts to a user of its own and reads that inbox, at one node and no other.

    Attributes:
        accepted: How many posts were answered 201.
        unanswered: How many were given up without an answer: nobody knows.
    """

    def __init__(self, scene: Scene, node: Node) -> None:
        self.node = node
        self.accepted = 0
        self.unanswered = 0
        self.user = f"{scene.load.run}.asker.{node.name}"
        self._publish = {"Authorization": f"Bearer {scene.token('prove', 'publish')}"}
        self._read = {"Authorization": f"Bearer {scene.token(self.user)}"}

    async def post(self, message: str = "") -> Answer:
        """Post once; status 0 stands for no answer."""
        body = {"user_id": self.user, "type": "prove", "title": "Asked", "message": message}
        self.unanswered += 1
        answer = await self._ask("POST", "/api/notifications", body, self._publish)
        self.unanswered -= answer.status > 0
        self.accepted += answer.status == 201
        return answer

    async def stored(self) -> int:
        """Return how many posts are in the inbox."""
        answer = await self._ask("GET", "/api/notifications/stats", None, self._read)
        if answer.status != 200:
            raise HttpError(f"the inbox was answered {answer.status}")
        total: int = answer.json()["total"]
        return total

    async def read(self, limit: int = 1) -> Answer:
        """Read the inbox once."""
        return await self._ask("GET", f"/api/notifications?limit={limit}", None, self._read)

    async def answers(self, limit_s: float) -> float | None:
        """Return the seconds until a post is accepted; None: not within ``limit_s``."""
        began = time.monotonic()
        while time.monotonic() - began < limit_s:
            if (await self.post()).status == 201:
                return time.monotonic() - began
            await asyncio.sleep(EVERY_S)
        return None

    async def _ask(self, method: str, path: str, body: object, headers: dict[str, str]) -> Answer:
        http = Http(Route([self.node.address], 0))
        try:
            async with asyncio.timeout(GIVE_UP_S):
                return await http.request(method, path, body, headers)
        except (HttpError, TimeoutError):
            return Answer(0, b"")
        finally:
            http.close()


async def check_stored(scene: Scene, askers: Sequence[Asker], *, is_refusal_final: bool) -> None:
    """
    Check that what was accepted is stored, and nothing else that was answered.

    Args:
        scene: Takes note of it.
        askers: All that the fault has.
        is_refusal_final: What was refused was not done; False: it may have been.
    """
    stored = sum([await asker.stored() for asker in askers])
    accepted, unanswered = sum(one.accepted for one in askers), sum(one.unanswered for one in askers)
    is_right = accepted <= stored and (stored <= accepted + unanswered or not is_refusal_final)
    name = "what was accepted is stored" + (", and nothing else" if is_refusal_final else "")
    scene.check(name, is_right, f"{stored} stored, {accepted} accepted, {unanswered} without an answer")


@contextlib.asynccontextmanager
async def asking(*asks: Callable[[], Awaitable[Answer]]) -> AsyncIterator[list[Answers]]:
    """Ask each for as long as the block lasts, anew EVERY_S after its answer; yield what is answered."""
    found = [Answers() for _ in asks]
    tasks = [asyncio.create_task(_repeat(ask, answers)) for ask, answers in zip(asks, found, strict=True)]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(ask: Callable[[], Awaitable[Answer]], answers: Answers) -> None:
    while True:
        began = time.monotonic()
        try:
            answer = await ask()
            answers.statuses[answer.status] += 1
        finally:
            # What has no answer in the end counts, too.
            answers.slowest_s = max(answers.slowest_s, time.monotonic() - began)
        await asyncio.sleep(EVERY_S)
