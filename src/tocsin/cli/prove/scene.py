"""What a fault is given to work with."""

import asyncio
import random
from collections.abc import Callable

from tocsin.cli.prove.http import Http
from tocsin.cli.prove.load import Load
from tocsin.cli.prove.outcome import Check
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.stack import Stack
from tocsin.cli.prove.timeline import Timeline

LOOK_S = 0.05


class Scene:
    """
    One stack under load; belongs to one event loop.

    Args:
        say: Called with each line of progress.

    Attributes:
        stack: The nodes and what is under them.
        load: Clients and producers.
        random: Of the plan's seed: what is drawn from it can be repeated.
        checks: What the fault has promised so far.
    """

    def __init__(self, plan: Plan, stack: Stack, load: Load, timeline: Timeline, say: Callable[[str], None]) -> None:
        self.plan = plan
        self.stack = stack
        self.load = load
        self.random = random.Random(plan.seed)  # noqa: S311 - a run can be repeated
        self.checks: list[Check] = []
        self._timeline = timeline
        self._say = say

    @property
    def acked(self) -> int:
        """Return how many posts have been acknowledged."""
        return self.load.acked.total()

    @property
    def now_s(self) -> float:
        """Return the seconds since the load began."""
        return self._timeline.now_s

    async def acked_reach(self, number: int) -> None:
        """Return when at least ``number`` posts have been acknowledged in all."""
        await self.load.acked_reach(number)

    async def more_acked(self, number: int) -> None:
        """Return when ``number`` more posts have been acknowledged: the load flows."""
        await self.load.acked_reach(self.acked + number)

    async def caught_up(self, limit_s: float) -> float | None:
        """Return the seconds until all clients had shown what is acknowledged now; None: not within ``limit_s``."""
        began, due = self.now_s, self.load.acked.copy()
        while not self.load.has_shown(due):
            if self.now_s - began > limit_s or self.load.has_lost_a_client:
                return None
            await asyncio.sleep(0.02)
        return self.now_s - began

    async def until(self, condition: Callable[[], bool], limit_s: float) -> float | None:
        """Return the seconds until a condition holds, which is looked at often; None: not within ``limit_s``."""
        began = self.now_s
        while not condition():
            if self.now_s - began > limit_s:
                return None
            await asyncio.sleep(LOOK_S)
        return self.now_s - began

    def mark(self, text: str) -> None:
        """Say that something happens now; the plot shows the moment."""
        self._timeline.mark(text)
        self._say(f"{self.now_s:6.1f} s  {text}, {self.acked} acknowledged")

    def check(self, name: str, is_met: bool, detail: str = "") -> None:
        """Take note of a promise of the fault's own, met or not."""
        self.checks.append(Check(name, is_met, detail))

    def token(self, user: str, scope: str = "") -> str:
        """Return a token of a user."""
        return self.load.token(user, scope)

    def http(self, home: int = 0) -> Http:
        """Return a connection for requests of the fault's own, to be closed by it."""
        return Http(self.stack.route(home))

    def call_home(self) -> None:
        """
        Cut the clients that are not where they began, so that they come back to there.

        A balancer would fill a node that has come back in the course of the day; here the
        next fault must not meet one that nobody talks to.
        """
        for client in self.load.clients:
            if not client.route.is_home:
                client.route.go_home()
                client.cut()
