"""Fault 13: the push provider answers 500, then 429, then nothing at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.util import find_spec

from tocsin.application.dispatch import MAX_TRIES
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.http import Http
from tocsin.cli.prove.onlookers import Latencies, Probe
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.stack import Stack
from tocsin.testing.web_push import BROKEN, HANG, TAKEN, TOO_MANY, FakeBrowser, FakePushService

BROWSERS = 5
EVERY_S = 0.05
RATE = 100.0
BACK_S = 30.0
ANSWERS = {"500": BROKEN, "429": TOO_MANY.after(1), "nothing": HANG}


class PushProvider(Fault):
    """
    A provider of Web Push that is of no use: sockets notice nothing, retries end.

    The provider is the fake of ``tocsin.testing``, in this process.
    """

    number = 13
    title = "push provider answers 500, 429, nothing"

    def __init__(self) -> None:
        self._service = FakePushService()

    @classmethod
    def obstacle(cls, has: frozenset[str]) -> str | None:
        """Return why it does not apply, or None."""
        is_there = all(find_spec(name) for name in ("aiohttp", "pywebpush"))
        return super().obstacle(has) if is_there else "it needs pip install 'tocsin[webpush]'"

    def plan(self, plan: Plan) -> Plan:
        """Leave the machine some air."""
        return plan.gentle(RATE)

    @contextlib.asynccontextmanager
    async def arrange(self, stack: Stack) -> AsyncIterator[None]:
        """Start the provider and let only urgent notifications be pushed, at once."""
        with self._service:
            stack.environment["TOCSIN_WEBPUSH_HOSTS"] = self._service.host
            stack.environment["TOCSIN_PUSH_LADDER"] = "urgent: push 0s; high: none; normal: none; low: none"
            yield

    async def inject(self, scene: Scene) -> None:
        """Push all the time; measure a socket for each kind of answer."""
        http = scene.http()
        try:
            browsers = {f"{scene.load.run}.browser.{number}": self._service.subscribe() for number in range(BROWSERS)}
            for user, browser in browsers.items():
                await _ask(http, scene, user, "/api/webpush/subscriptions", browser.subscription)
            async with Probe(scene) as probe:
                await self._measure(scene, http, probe, list(browsers))
            await self._back(scene, http, browsers)
        finally:
            http.close()

    async def _measure(self, scene: Scene, http: Http, probe: Probe, users: list[str]) -> None:
        """Measure with each answer, and before it as usual: what else the machine does meets both alike."""
        usual, posted = Latencies(), 0
        measured: dict[str, Latencies] = {}
        for name, answer in ANSWERS.items():
            found, more = await _while_pushing(scene, http, probe, users, scene.plan.hold_s / 4)
            usual, posted = usual + found, posted + more
            self._service.answer_all(answer)
            scene.mark(f"the push provider answers {name}")
            measured[name], more = await _while_pushing(scene, http, probe, users, scene.plan.hold_s / 2)
            posted += more
            self._service.answer_all(TAKEN)
            scene.mark("the push provider answers as it should")
        for name, found in measured.items():
            lost = found.missing + found.refused
            scene.check(f"sockets were served, provider answers {name}", lost == 0 and bool(found.ms), f"{found}")
            scene.check(f"p99 ≤ that of before, provider answers {name}", found.is_like(usual), f"before: {usual}")
        sent, most = self._service.requests, posted * MAX_TRIES
        scene.check(f"at most {MAX_TRIES} tries each", 0 < sent <= most, f"{sent} requests for {posted} notifications")

    async def _back(self, scene: Scene, http: Http, browsers: dict[str, FakeBrowser]) -> None:
        """Push to each once more: it arrives."""
        title = "the last one"
        for user in browsers:
            await _notify(http, scene, user, title)
        await scene.until(lambda: all(_has(browser, title) for browser in browsers.values()), BACK_S)
        arrived = sum(_has(browser, title) for browser in browsers.values())
        scene.check(f"pushes arrive again ≤ {BACK_S:.0f} s", arrived == len(browsers), f"{arrived} of {len(browsers)}")


def _has(browser: FakeBrowser, title: str) -> bool:
    return any(push.payload["title"] == title for push in list(browser.pushes))


async def _while_pushing(
    scene: Scene, http: Http, probe: Probe, users: list[str], seconds: float
) -> tuple[Latencies, int]:
    """Push to one user after the other while the probe measures; return what it found and how many there were."""
    posted = 0
    measuring = asyncio.create_task(probe.measure(seconds))
    while not measuring.done():
        await _notify(http, scene, users[posted % len(users)], f"no. {posted}")
        posted += 1
        await asyncio.sleep(EVERY_S)
    return await measuring, posted


async def _notify(http: Http, scene: Scene, user: str, title: str) -> None:
    body = {"user_id": user, "type": "prove", "title": title, "message": "", "priority": "urgent"}
    await _ask(http, scene, "prove", "/api/notifications", body)


async def _ask(http: Http, scene: Scene, caller: str, path: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {scene.token(caller, 'publish' if caller == 'prove' else '')}"}
    answer = await http.request("POST", path, body, headers)
    if answer.status != 201:
        raise RuntimeError(f"POST {path} was answered {answer.status}: {answer.body[:300]!r}")
