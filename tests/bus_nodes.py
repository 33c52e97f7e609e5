"""Nodes that are a bus and what it has heard, without a server around it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from tocsin.adapters.bus_redis import RedisBus
from tocsin.domain.stream import StreamEvent

DEADLINE_S = 40.0


def event(seq, user_id="alice", payload=b"{}", namespace="/orders", name="order_updated"):
    return StreamEvent(user_id, namespace, seq, f"id-{seq}", name, payload, 0)


class Node:
    """A bus on the network, with what it has heard of the others."""

    def __init__(self, url, *, epoch="epoch-1", key=None, listens=True, follows=("alice", "bob")):
        self.bus = RedisBus(url, epoch=lambda: epoch, key=key)
        self.heard = asyncio.Queue()
        self.gaps = asyncio.Queue()
        if listens:
            self.bus.subscribe(
                lambda events: [self.heard.put_nowait(event) for event in events],
                lambda *parts: self.heard.put_nowait(parts),
                lambda keys: [self.heard.put_nowait(key) for key in keys],
                lambda: self.gaps.put_nowait(None),
            )
            for user_id in follows:
                self.bus.follow(user_id)

    async def next(self):
        async with asyncio.timeout(DEADLINE_S):
            return await self.heard.get()

    async def next_gap(self):
        async with asyncio.timeout(DEADLINE_S):
            await self.gaps.get()

    async def ready(self):
        """Return once both connections are up."""
        await self.next_gap()
        await until(lambda: self.bus.is_connected and not self.bus.stats["waiting"])

    async def sent(self):
        """Return once Redis has taken all."""
        async with asyncio.timeout(DEADLINE_S):
            await self.bus._routes.settled()


async def until(condition):
    """Return once the condition holds: the bus raises no event for it."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


@asynccontextmanager
async def starting() -> AsyncIterator[Callable[..., Awaitable[Node]]]:
    """Start nodes; all are stopped afterwards."""
    async with AsyncExitStack() as stack:

        async def start(url, **options):
            node = Node(url, **options)
            await node.bus.start()
            stack.push_async_callback(node.bus.stop)
            if options.get("listens", True):
                await node.ready()
            return node

        yield start
