"""Fault 4: Redis restarts, forgets everything, and is cut off from one node, both ways and one way."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.onlookers import Latencies, Onlooker, Probe, Visitor, onlooker
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.proxy import Proxy, Way
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.stack import Stack

SWEEP_S = 6.0
PRESENCE_S = 90.0
RATE = 200.0
PARTITIONS = {Way.BOTH: "both ways", Way.DOWN: "so that it is deaf", Way.UP: "so that it is dumb"}


class Bus(Fault):
    """
    The bus fails in each of its ways between two nodes; the log is swept instead.

    Partitions are made by a relay between a node and Redis.
    """

    number = 4
    title = "Redis restarted, flushed, cut off"
    needs = frozenset({"valkey", "nodes"})
    catch_up_s = SWEEP_S + 9.0

    def __init__(self) -> None:
        self._proxy: Proxy

    @contextlib.asynccontextmanager
    async def arrange(self, stack: Stack) -> AsyncIterator[None]:
        """Put a relay between the last node and Redis."""
        assert stack.valkey is not None, "the fault needs it"
        async with Proxy("127.0.0.1", stack.valkey.port) as self._proxy:
            stack.own[stack.design.nodes - 1] = {"TOCSIN_REDIS_URL": f"redis://127.0.0.1:{self._proxy.port}/0"}
            yield

    def plan(self, plan: Plan) -> Plan:
        """Leave the machine some air."""
        return plan.gentle(RATE)

    async def inject(self, scene: Scene) -> None:
        """Do each in turn, the load flowing, while a probe goes from each node to the other."""
        away = len(scene.stack.nodes) - 1
        async with (
            Probe(scene, "hither", 0, posts_at=away) as hither,
            Probe(scene, "thither", away, posts_at=0) as thither,
        ):
            probes = hither, thither
            await scene.more_acked(200)
            await self._restart(scene, probes)
            await self._flush(scene, probes)
            for ways, name in PARTITIONS.items():
                await self._part(scene, probes, ways, name)
            await scene.more_acked(200)

    async def _restart(self, scene: Scene, probes: tuple[Probe, ...]) -> None:
        valkey = scene.stack.valkey
        assert valkey is not None
        await asyncio.to_thread(valkey.kill)
        scene.mark("kill of Redis")
        found = await _measure(probes, scene.plan.hold_s / 2)
        await asyncio.to_thread(valkey.start)
        scene.mark("Redis started")
        _judge(scene, "while Redis was down", found + await _measure(probes, scene.plan.hold_s / 2))

    async def _flush(self, scene: Scene, probes: tuple[Probe, ...]) -> None:
        from redis.asyncio import Redis  # noqa: PLC0415 - of an extra

        assert scene.stack.valkey is not None
        async with Redis.from_url(scene.stack.valkey.url) as redis:
            await redis.flushall()
            scene.mark("FLUSHALL")
            found = await _measure(probes, 2.0)
            kept = await redis.dbsize()
        _judge(scene, "after FLUSHALL", found)
        scene.check("Redis holds nothing of ours", kept == 0, f"{kept} keys")

    async def _part(self, scene: Scene, probes: tuple[Probe, ...], ways: Way, name: str) -> None:
        """Cut the last node off; a user of each side goes meanwhile, another one comes."""
        homes = 0, len(scene.stack.nodes) - 1
        async with contextlib.AsyncExitStack() as stack:
            # Each is looked at from the other side.
            onlookers = [
                await stack.enter_async_context(onlooker(scene, f"onlooker.{ways.value}.{home}", home))
                for home in homes[::-1]
            ]
            goers = [Visitor(scene, f"goer.{ways.value}.{home}", home) for home in homes]
            comers = [Visitor(scene, f"comer.{ways.value}.{home}", home) for home in homes]
            for looking, *seen in zip(onlookers, goers, comers, strict=True):
                for visitor in seen:
                    await looking.meet(visitor.user)
            async with contextlib.AsyncExitStack() as going:
                for visitor in goers:
                    await going.enter_async_context(visitor)
                await _seen(scene, onlookers, goers, "who is there is seen from the other node", is_online=True)
                self._proxy.stall(ways)
                scene.mark(f"a node cut off from Redis, {name}")
            went = time.monotonic()
            for visitor in comers:
                await stack.enter_async_context(visitor)
            found = await _measure(probes, scene.plan.hold_s)
            self._proxy.heal()
            scene.mark("the node reaches Redis again")
            _judge(scene, f"while a node was cut off, {name}", found)
            within = PRESENCE_S - (time.monotonic() - went)
            await _seen(scene, onlookers, goers, f"who went while a node was cut off, {name}", within, is_online=False)
            await _seen(scene, onlookers, comers, f"who came while a node was cut off, {name}", within, is_online=True)


async def _seen(
    scene: Scene,
    onlookers: Sequence[Onlooker],
    visitors: Sequence[Visitor],
    what: str,
    within_s: float = PRESENCE_S,
    *,
    is_online: bool,
) -> None:
    waits = [
        looking.wait(visitor.user, is_online=is_online, limit_s=max(within_s, 1.0))
        for looking, visitor in zip(onlookers, visitors, strict=True)
    ]
    took = await asyncio.gather(*waits)
    detail = " and ".join("never" if one is None else f"after {one:.1f} s" for one in took)
    scene.check(f"{what}: seen {'there' if is_online else 'gone'}", None not in took, detail)


async def _measure(probes: tuple[Probe, ...], seconds: float) -> Latencies:
    found = await asyncio.gather(*(probe.measure(seconds) for probe in probes))
    return sum(found, Latencies())


def _judge(scene: Scene, when: str, found: Latencies) -> None:
    scene.check(f"everything arrived {when}", not (found.missing or found.refused), f"{found}")
    scene.check(f"delivered ≤ {SWEEP_S:.0f} s {when}", found.at(1.0) <= 1000 * SWEEP_S, f"{found}")
