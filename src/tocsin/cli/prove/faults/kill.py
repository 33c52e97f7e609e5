"""Fault 1: SIGKILL at random moments under load."""

import asyncio

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.scene import Scene


class Kills(Fault):
    """A node dies at a random moment and is started again, as often as the plan says."""

    number = 1
    title = "kill -9 a node at random moments"

    async def inject(self, scene: Scene) -> None:
        """Spread the kills over the posts; with several nodes any of them is hit."""
        kills, posts = scene.plan.kills, scene.plan.posts
        times: list[float | None] = []
        for kill in range(kills):
            await scene.acked_reach(int(posts * (kill + scene.random.random()) / kills))
            # Off the acknowledgement by a random bit, so that the kill meets any point of a request.
            await asyncio.sleep(scene.random.uniform(0, 0.02))
            node = scene.random.choice(scene.stack.nodes)
            await node.kill()
            scene.mark(f"kill -9 no. {kill + 1}, {node.name}")
            await node.start()
            scene.call_home()
            # Half of the time the next kill may meet clients that are still catching up.
            if scene.random.random() < 0.5:
                times.append(await scene.caught_up(self.catch_up_s))
        late, worst = times.count(None), max((time for time in times if time is not None), default=0.0)
        scene.check(
            f"all caught up within {self.catch_up_s:.0f} s of a restart",
            not late,
            f"{len(times)} times, {worst:.1f} s at most",
        )
        killed = sum(node.kills for node in scene.stack.nodes)
        scene.check("killed as often as planned", killed == kills, f"{killed} of {kills}")
