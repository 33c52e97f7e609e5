"""Fault 9: twenty identical POSTs at once, with one key."""

import asyncio

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.scene import Scene

AT_ONCE = 20


class SameRequest(Fault):
    """
    Twenty connections, spread over the nodes, post the same under the same ``Idempotency-Key``.

    That it made one row and one event is told by the counts: each of the twenty
    journals an acknowledgement, and a second row or event would be one too many.
    """

    number = 9
    title = f"{AT_ONCE} identical POSTs at once"

    async def inject(self, scene: Scene) -> None:
        """Do it as often as the plan says, for other users each time."""
        callers = [scene.load.add_producer(f"same{n}", n, keys="same") for n in range(AT_ONCE)]
        rounds = scene.plan.kills
        one = 0
        for number in range(rounds):
            await scene.acked_reach(scene.plan.posts * number // rounds)
            user = scene.load.users[number % len(scene.load.users)]
            ids = await asyncio.gather(*(caller.post(user) for caller in callers))
            one += len(set(ids)) == 1
            scene.mark(f"{AT_ONCE} identical POSTs no. {number + 1}")
        scene.check(f"each of the {AT_ONCE} was answered with the same id", one == rounds, f"{one} of {rounds} times")
