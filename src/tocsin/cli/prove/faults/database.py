"""Fault 3: PostgreSQL loses backends, dies, is stopped for a while, and hangs."""

import asyncio
import os
import signal
from pathlib import Path

from tocsin.cli.prove.asking import Answers, Asker, asking, check_stored
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.postgres import Postgres
from tocsin.cli.prove.scene import Scene

RECOVER_S = 10.0
HOPELESS_S = 60.0
ANSWER_S = 15.0
GROWTH_MB = 32.0
BACKENDS = 3
BETWEEN_S = 0.5


class Database(Fault):
    """
    SIGKILL of backends and of the postmaster, a stop, and SIGSTOP of all of it.

    Meanwhile 503 and nothing accepted, then everything goes on by itself.
    """

    number = 3
    title = "PostgreSQL killed, stopped and hung"
    needs = frozenset({"postgres"})

    async def inject(self, scene: Scene) -> None:
        """Do each in turn, the load flowing in between."""
        askers = [Asker(scene, node) for node in scene.stack.nodes]
        await scene.more_acked(200)
        before = [_memory_mb(node.pid) for node in scene.stack.nodes]
        for number in range(min(BACKENDS, scene.plan.kills)):
            await asyncio.to_thread(_kill_backend, scene)
            scene.mark(f"kill -9 of backend no. {number + 1}")
            await self._recovered(scene, askers, f"backend no. {number + 1} killed")
        await self._kill_postmaster(scene, askers)
        await self._stop(scene, askers)
        await self._hang(scene, askers)
        await scene.more_acked(200)
        # What was told 503 after a time-out, or for a lost connection, may have been done.
        await check_stored(scene, askers, is_refusal_final=False)
        growth = max(_memory_mb(node.pid) - was for node, was in zip(scene.stack.nodes, before, strict=True))
        scene.check(f"memory of a node grew by ≤ {GROWTH_MB:.0f} MB", growth <= GROWTH_MB, f"{growth:.1f} MB")

    async def _kill_postmaster(self, scene: Scene, askers: list[Asker]) -> None:
        postgres = _postgres(scene)
        await asyncio.to_thread(postgres.kill)
        scene.mark("kill -9 of the postmaster")
        await asyncio.sleep(BETWEEN_S)
        await asyncio.to_thread(postgres.start)
        scene.mark("PostgreSQL started")
        await self._recovered(scene, askers, "postmaster killed")

    async def _stop(self, scene: Scene, askers: list[Asker]) -> None:
        postgres = _postgres(scene)
        await asyncio.to_thread(postgres.stop)
        scene.mark("PostgreSQL stopped")
        asks = [ask for asker in askers for ask in (asker.post, asker.read)]
        async with asking(*asks) as found:
            await asyncio.sleep(scene.plan.hold_s)
        await asyncio.to_thread(postgres.start)
        scene.mark("PostgreSQL started")
        posts, reads = sum(found[::2], Answers()), sum(found[1::2], Answers())
        scene.check("503 to writers while it was stopped", set(posts.statuses) == {503}, str(posts))
        scene.check("503 to readers while it was stopped", set(reads.statuses) == {503}, str(reads))
        await self._recovered(scene, askers, "stopped")

    async def _hang(self, scene: Scene, askers: list[Asker]) -> None:
        postgres = _postgres(scene)
        await asyncio.to_thread(postgres.pause)
        scene.mark("SIGSTOP of PostgreSQL")
        try:
            asks = [ask for asker in askers for ask in (asker.post, asker.read)]
            async with asking(*asks) as found:
                await asyncio.sleep(scene.plan.hold_s)
        finally:
            postgres.go_on()
        scene.mark("PostgreSQL goes on")
        posts, reads = sum(found[::2], Answers()), sum(found[1::2], Answers())
        scene.check("nothing accepted while it hung", not posts.accepted, str(posts))
        slowest = max(posts.slowest_s, reads.slowest_s)
        scene.check(f"503 ≤ {ANSWER_S:.0f} s while it hung", slowest <= ANSWER_S, f"posts {posts}; reads {reads}")
        await self._recovered(scene, askers, "hung")

    async def _recovered(self, scene: Scene, askers: list[Asker], what: str) -> None:
        took = await asyncio.gather(*(asker.answers(HOPELESS_S) for asker in askers))
        longest = max(HOPELESS_S if one is None else one for one in took)
        scene.check(f"writes again ≤ {RECOVER_S:.0f} s: {what}", longest <= RECOVER_S, f"{longest:.1f} s")
        await scene.more_acked(100)


def _postgres(scene: Scene) -> Postgres:
    assert scene.stack.postgres is not None, "the fault needs it"
    return scene.stack.postgres


def _kill_backend(scene: Scene) -> None:
    import psycopg  # noqa: PLC0415 - of an extra

    with psycopg.connect(_postgres(scene).url, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tocsin'"
        pids = [pid for (pid,) in connection.execute(query)]
    os.kill(scene.random.choice(pids), signal.SIGKILL)


def _memory_mb(pid: int) -> float:
    """Return what a process has in memory; 0 where nobody tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
