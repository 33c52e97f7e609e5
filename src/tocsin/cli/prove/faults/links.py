"""Fault 8: bad links: half open, cut every few seconds, polling only, cut in the middle of an upgrade."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.link import OpenLink, polling, upgrading, websocket
from tocsin.cli.prove.onlookers import Visitor, onlooker
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.proxy import Proxy
from tocsin.cli.prove.route import Address, Route
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.stack import Stack

# The usual intervals take a minute and a half to find a dead link.
LONG_S = 60.0
USUAL_S = 25, 60
SHORT_S = 2, 3
SLACK_S = 5.0
HOPELESS_S = 60.0
TICK_S = 0.5
# A link lives for three seconds on the average.
CHANCE = TICK_S / 3.0
STALL_S = 1.0
CHURN = 10
RATE = 200.0
LINKS = {"websocket": websocket, "polling": polling, "upgrading": upgrading}


class Links(Fault):
    """
    All links go through a relay that cuts and stalls; a third of the clients poll, a third upgrade.

    Half-open links are those of users who vanish behind a relay that passes
    nothing any more, not even an end.
    """

    number = 8
    title = "bad links: half open, cut, polling, mid-upgrade"
    catch_up_s = 30.0

    def __init__(self) -> None:
        self._interval_s, self._timeout_s = USUAL_S

    def plan(self, plan: Plan) -> Plan:
        """Post what clients that are cut all the time can follow, and choose the heartbeat."""
        if plan.hold_s < LONG_S:
            self._interval_s, self._timeout_s = SHORT_S
        return plan.gentle(RATE)

    @contextlib.asynccontextmanager
    async def arrange(self, stack: Stack) -> AsyncIterator[None]:
        """Set the heartbeat and how clients connect."""
        stack.environment["SOCKETIO_PING_INTERVAL"] = str(self._interval_s)
        stack.environment["SOCKETIO_PING_TIMEOUT"] = str(self._timeout_s)
        stack.links[:] = LINKS.values()
        yield

    async def inject(self, scene: Scene) -> None:
        """Let users vanish while the links of all others are bad."""
        addresses = scene.stack.addresses
        direct = list(addresses)
        async with contextlib.AsyncExitStack() as stack:
            proxies = [await stack.enter_async_context(Proxy(*address)) for address in direct]
            stack.callback(addresses.__setitem__, slice(None), direct)
            addresses[:] = [Address("127.0.0.1", proxy.port) for proxy in proxies]
            for client in scene.load.clients:
                client.cut()
            scene.mark("all links go through a relay")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._churn(scene, proxies))
                for name, open_link in LINKS.items():
                    group.create_task(self._vanish(scene, direct[-1], name, open_link))
        scene.mark("links are good again")
        await scene.load.all_synced(HOPELESS_S)

    async def _churn(self, scene: Scene, proxies: list[Proxy]) -> None:
        cuts, before = 0, sum(client.connects for client in scene.load.clients)
        until = scene.now_s + CHURN * scene.plan.hold_s
        while scene.now_s < until:
            await asyncio.sleep(TICK_S)
            proxy = scene.random.choice(proxies)
            if scene.random.random() < CHANCE:
                proxy.stall()
                await asyncio.sleep(STALL_S)
                proxy.heal()
            cuts += sum(one.cut(CHANCE) for one in proxies)
        again = sum(client.connects for client in scene.load.clients) - before
        scene.check("links were cut and clients came again", cuts > 0 and again > 0, f"{cuts} cuts, {again} sessions")

    async def _vanish(self, scene: Scene, address: Address, name: str, open_link: OpenLink) -> None:
        limit_s = self._interval_s + self._timeout_s + SLACK_S
        async with onlooker(scene, f"onlooker.{name}", route=Route([address], 0)) as looking, Proxy(*address) as proxy:
            route = Route([Address("127.0.0.1", proxy.port)], 0)
            async with Visitor(scene, f"vanishing.{name}", route=route, open_link=open_link) as visitor:
                await looking.meet(visitor.user)
                came = await looking.wait(visitor.user, is_online=True, limit_s=HOPELESS_S)
                proxy.stall()
                scene.mark(f"a user on {name} has vanished")
                took = await looking.wait(visitor.user, is_online=False, limit_s=2 * limit_s)
        scene.check(f"a user who vanished is found gone, {name}", None not in {came, took})
        if took is not None:
            scene.check(f"found ≤ {limit_s:.0f} s, {name}", took <= limit_s, f"{took:.1f} s")
