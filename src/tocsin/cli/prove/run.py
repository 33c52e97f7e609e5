"""One fault from the start of its stack to the verdict on its journals."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from tocsin.cli.prove.checker import check_folder
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.load import Load
from tocsin.cli.prove.outcome import Outcome
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.stack import Design, Stack
from tocsin.cli.prove.timeline import Timeline

COUNT_S = 30.0


class Proof:
    """
    Carries out one fault in a folder, which keeps the journals, the logs and the database.

    Args:
        fault: Its class; it must apply to the design.
        plan: The load, of which the fault may make its own.
        say: Called with each line of progress.

    Attributes:
        fault: What it carries out.
        timeline: What has happened so far.
    """

    def __init__(
        self, fault: type[Fault], plan: Plan, design: Design, folder: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.timeline = Timeline()
        self.fault = fault()
        self._plan = self.fault.plan(plan)
        self._stack = Stack(design, folder)
        self._folder = folder
        self._say = say

    async def run(self) -> Outcome:
        """
        Carry it out and judge it.

        Raises:
            RuntimeError: The stack did not start.
        """
        stack = self._stack
        async with stack.parts(), self.fault.arrange(stack), stack.running():
            self.timeline.restart()
            # Users are new to a database that has been there before.
            load = Load(self._plan, stack, self.timeline, f"prove.{secrets.token_hex(4)}")
            scene = Scene(self._plan, stack, load, self.timeline, self._say)
            async with load.connected():
                self._say(f"{len(load.clients)} clients of {len(load.users)} users connected")
                failures = await self._inject(scene)
                caught_up_s = await scene.caught_up(self.fault.catch_up_s)
                duration_s = scene.now_s
            rows = await _count_rows(scene)
        return Outcome(
            number=self.fault.number,
            title=self.fault.title,
            stack=stack.design.title,
            verdict=check_folder(self._folder),
            kills=sum(node.kills for node in stack.nodes),
            retries=sum(producer.retries for producer in load.producers),
            connects=sum(client.connects for client in load.clients),
            dropped=sum(client.dropped for client in load.clients),
            resyncs=sum(client.resyncs for client in load.clients),
            gaps=sum(client.gaps for client in load.clients),
            rows=rows,
            duration_s=duration_s,
            caught_up_s=caught_up_s,
            catch_up_limit_s=self.fault.catch_up_s,
            timeline=self.timeline,
            checks=scene.checks,
            failures=[*failures, *load.failures],
        )

    async def _inject(self, scene: Scene) -> list[str]:
        """Inject the fault under load; return what went wrong otherwise than the fault's checks tell."""
        failures: list[str] = []
        try:
            async with asyncio.timeout(self.fault.limit_s), asyncio.TaskGroup() as group:
                posting = group.create_task(scene.load.post())
                watching = group.create_task(scene.load.watch_clients())
                await self.fault.inject(scene)
                scene.load.fault_is_over()
                await posting
                watching.cancel()
        except* TimeoutError:
            failures.append(f"broken off: not done after {self.fault.limit_s:.0f} s")
        except* Exception as errors:  # noqa: BLE001 - whatever it is, the run has failed and its journals are judged
            failures += [f"broken off: {error!r}" for error in _leaves(errors)]
        return failures


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


async def _count_rows(scene: Scene) -> int | None:
    http, rows = scene.http(), 0
    try:
        async with asyncio.timeout(COUNT_S):
            for user in scene.load.users:
                rows += await _count(http, {"Authorization": f"Bearer {scene.token(user)}"})
    except TimeoutError:
        return None
    finally:
        http.close()
    return rows


async def _count(http: Http, headers: dict[str, str]) -> int:
    """Return how many notifications a user has; insists, for a reader of the database may come back late."""
    while True:
        with contextlib.suppress(HttpError):
            answer = await http.request("GET", "/api/notifications/stats", headers=headers)
            if answer.status == 200:
                total: int = answer.json()["total"]
                return total
            http.turn()
        await asyncio.sleep(0.1)
