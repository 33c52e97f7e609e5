"""Back ends that post at a steady rate over kept connections, and take note of what was acknowledged."""

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from bench.soak.histogram import Histogram
from bench.soak.swarm import token, user_id
from bench.soak.tally import Bits
from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.route import Address, Route

CONNECTIONS = 32
# Rows of notifications go when they have expired: their number comes to rest.
TTL_S = 300
_MESSAGE = "Your post is live on three platforms. 게시물이 세 플랫폼에 올라갔습니다."


@dataclass(slots=True)
class Posted:
    """
    What came of all posts.

    Attributes:
        sent: Posts to a user.
        acked: Numbers of those that were answered 201.
        total: Posts acknowledged.
        failures: Posts that were not, by status or kind of error.
        answers: How long the acknowledgements took.
        seconds: How long it took to post them all; more than was meant where the server could not keep up.
    """

    sent: Counter[int] = field(default_factory=Counter)
    acked: defaultdict[int, Bits] = field(default_factory=lambda: defaultdict(Bits))
    total: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    answers: Histogram = field(default_factory=Histogram)
    seconds: float = 0.0


class Posting:
    """
    Posts to all users in turn; belongs to one event loop.

    Args:
        address: Of the server.
        secret: Of its tokens.
        users: How many there are.
        rate: Posts a second, by all connections together.
    """

    def __init__(self, address: Address, secret: str, users: int, rate: float) -> None:
        self.posted = Posted()
        self._address = address
        self._headers = {"Authorization": f"Bearer {token(secret, 'soak', 'publish')}"}
        self._users = itertools.cycle(range(users))
        self._rate = rate
        self._begun = 0.0
        self._number = 0

    async def run(self, until: float) -> None:
        """Post until a moment of ``time.monotonic``; what is under way then is finished."""
        self._begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._post_all(until))
        self.posted.seconds = time.monotonic() - self._begun

    async def _post_all(self, until: float) -> None:
        http = Http(Route([self._address], 0))
        try:
            while True:
                due = self._begun + self._number / self._rate
                self._number += 1
                if due >= until:
                    return
                # One that is late is sent at once: what the server holds up is caught up with.
                if (wait_s := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait_s)
                await self._post(http, next(self._users))
        finally:
            http.close()

    async def _post(self, http: Http, user: int) -> None:
        posted = self.posted
        number = posted.sent[user]
        posted.sent[user] += 1
        began_ns = time.monotonic_ns()
        body = {
            "user_id": user_id(user),
            "type": "soak",
            "title": "Published",
            "message": _MESSAGE,
            "data": {"soak": [number, began_ns]},
            "ttl_s": TTL_S,
        }
        try:
            answer = await http.request("POST", "/api/notifications", body, self._headers)
        except HttpError as error:
            posted.failures[type(error.__cause__).__name__] += 1
            return
        if answer.status != 201:
            posted.failures[str(answer.status)] += 1
            return
        posted.answers.add((time.monotonic_ns() - began_ns) / 1e6)
        posted.acked[user].add(number)
        posted.total += 1
