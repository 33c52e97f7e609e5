"""Fault 11: a rolling restart under load, then every client cut at once."""

import asyncio
import time

from tocsin.cli.prove.client import Client
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.node import Node
from tocsin.cli.prove.scene import Scene
from tocsin.engine.limits import Limits

BACK_S = 30.0
EXIT_S = 30.0
SHARE = 0.99


class RollingRestart(Fault):
    """
    Each node is ended with SIGTERM and started again, one after the other; then all links break.

    With one node clients and producers wait until it is back.
    """

    number = 11
    title = "rolling restart, then all clients cut at once"
    catch_up_s = BACK_S

    async def inject(self, scene: Scene) -> None:
        """Restart at a third of the posts, cut at two thirds."""
        await scene.acked_reach(scene.plan.posts // 3)
        for node in scene.stack.nodes:
            await self._end(node, scene)
            # Behind a balancer clients need not wait for the node itself; alone it must be there first.
            if is_alone := len(scene.stack.nodes) == 1:
                await self._start(node, scene)
            await self._back(scene, f"after the end of {node.name}")
            if not is_alone:
                await self._start(node, scene)
            scene.call_home()
        await scene.acked_reach(scene.plan.posts * 2 // 3)
        await scene.load.all_synced(BACK_S)
        for client in scene.load.clients:
            client.cut()
        scene.mark("every client is cut")
        await self._back(scene, "after the cut")
        resyncs = sum(client.resyncs for client in scene.load.clients)
        scene.check("no client had to load afresh", resyncs == 0, f"{resyncs} resyncs")

    async def _end(self, node: Node, scene: Scene) -> None:
        scene.mark(f"SIGTERM to {node.name}")
        began = time.monotonic()
        status = await node.stop()
        took = time.monotonic() - began
        scene.check(f"{node.name} drained", status == 0 and took <= EXIT_S, f"status {status} after {took:.1f} s")

    async def _start(self, node: Node, scene: Scene) -> None:
        await node.start()
        scene.mark(f"{node.name} is back")

    async def _back(self, scene: Scene, when: str) -> None:
        began, times = time.monotonic(), list[float]()

        async def watch(client: Client) -> None:
            await client.is_synced.wait()
            times.append(time.monotonic() - began)

        watchers = [asyncio.create_task(watch(client)) for client in scene.load.clients]
        await asyncio.wait(watchers, timeout=BACK_S)
        for watcher in watchers:
            watcher.cancel()
        share, last_s = len(times) / len(watchers), max(times, default=0.0)
        scene.check(f"{SHARE:.0%} back {when}", share >= SHARE, f"{share:.1%} after {last_s:.1f} s")
        peak, cap = _peak(times), Limits().handshakes_per_s
        scene.check(f"handshakes under the cap {when}", peak <= cap, f"at most {peak} in a second")


def _peak(times: list[float]) -> int:
    """Return the most that fell within one second."""
    return max((sum(begin <= at < begin + 1 for at in times) for begin in times), default=0)
