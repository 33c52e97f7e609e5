"""Fault 12: clients that come back in the middle of a heavy publish."""

import asyncio
from dataclasses import replace

from tocsin.cli.prove.client import Client
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.scene import Scene

USERS = 4
# More devices would have the harness itself, one process, fall behind the publish.
CLIENTS = 16


class Resumes(Fault):
    """
    Few users get everything, and their devices are cut again and again.

    Each resume has a seam where the replay ends and what is live begins. A
    client that had to ask for something missing, or was sent something again,
    tells of a bad one; neither is loss, for the client mends both.
    """

    number = 12
    title = "resume during heavy publish"

    def plan(self, plan: Plan) -> Plan:
        """Let all producers publish to a few users."""
        return replace(plan, users=USERS, clients=min(plan.clients, CLIENTS))

    async def inject(self, scene: Scene) -> None:
        """Cut each device as soon as it is back, until there were enough resumes."""
        clients = scene.load.clients
        shares = [
            scene.plan.resumes // len(clients) + (n < scene.plan.resumes % len(clients)) for n in range(len(clients))
        ]
        scene.mark("the cuts begin")
        before = sum(client.connects for client in clients)
        await asyncio.gather(*(self._cut(client, share, scene) for client, share in zip(clients, shares, strict=True)))
        scene.mark("the cuts end")
        resumed = sum(client.connects for client in clients) - before
        scene.check("resumed as often as planned", resumed >= scene.plan.resumes, f"{resumed} of {scene.plan.resumes}")
        gaps, again = sum(client.gaps for client in clients), sum(client.dropped for client in clients)
        scene.check("no gap at the seam of replay and live", gaps == 0, f"{gaps}")
        scene.check("nothing sent twice at the seam", again == 0, f"{again}")

    async def _cut(self, client: Client, times: int, scene: Scene) -> None:
        for _ in range(times):
            await client.is_synced.wait()
            await asyncio.sleep(scene.random.uniform(0, 0.1))
            if scene.random.random() < 0.5:
                client.route.turn()
            client.cut()
        await client.is_synced.wait()
