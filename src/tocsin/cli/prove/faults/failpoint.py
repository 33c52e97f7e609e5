"""Fault 2: SIGKILL at the two worst points of a write."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.node import Node
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.stack import Stack

# Before the emit no client has heard of it, before the ack the producer has not.
POINTS = ("after_commit_before_emit", "after_emit_before_ack")
AT = 20


class Failpoints(Fault):
    """Every node kills itself between a commit and its emit, comes back, and does so between an emit and its ack."""

    number = 2
    title = "kill -9 between commit and emit, emit and ack"

    @contextlib.asynccontextmanager
    async def arrange(self, stack: Stack) -> AsyncIterator[None]:
        """Arm the first point."""
        stack.environment["TOCSIN_FAILPOINT"] = f"{POINTS[0]}:{AT}"
        yield

    async def inject(self, scene: Scene) -> None:
        """Wait for each node's deaths; start it again, armed for the next."""
        await asyncio.gather(*(self._die_at_each(node, scene) for node in scene.stack.nodes))
        died = sum(node.kills for node in scene.stack.nodes)
        due = len(POINTS) * len(scene.stack.nodes)
        scene.check("each node died at each point", died == due, f"{died} of {due}")

    async def _die_at_each(self, node: Node, scene: Scene) -> None:
        for point, following in zip(POINTS, (*POINTS[1:], ""), strict=True):
            await node.died()
            scene.mark(f"{node.name} died {point.replace('_', ' ')}")
            node.environment["TOCSIN_FAILPOINT"] = f"{following}:{AT}" if following else ""
            await node.start()
            scene.call_home()
