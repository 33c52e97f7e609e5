"""Fault 10: one user on several nodes, while all of them write."""

from collections import Counter
from dataclasses import replace

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.scene import Scene

# A user may have 20 connections, on one node too.
MAX_DEVICES = 16


class TwoNodes(Fault):
    """
    All devices belong to one user, half of them on each node, and the producers write to both.

    The order is judged by the counts: a place of the log at which two devices
    have shown different events is out of order.
    """

    number = 10
    title = "one user on two nodes, concurrent writers"
    needs = frozenset({"nodes"})

    def plan(self, plan: Plan) -> Plan:
        """Give all clients to one user."""
        return replace(plan, users=1, clients=min(plan.clients, MAX_DEVICES))

    async def inject(self, scene: Scene) -> None:
        """Let devices change their node all the time, as phones do that change their network."""
        clients = scene.load.clients
        nodes = Counter(client.route.address for client in clients)
        scene.mark("one user, all nodes")
        for number in range(scene.plan.kills):
            await scene.acked_reach(scene.plan.posts * number // scene.plan.kills)
            client = scene.random.choice(clients)
            client.route.turn()
            client.cut()
        spread = " + ".join(str(count) for count in nodes.values())
        scene.check("devices on every node", len(nodes) == len(scene.stack.nodes), f"{spread} devices")
        wrote = scene.load.acked_by_node()
        scene.check("every node wrote", len(wrote) == len(nodes), f"{' + '.join(map(str, wrote.values()))} posts")
