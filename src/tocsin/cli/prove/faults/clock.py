"""Fault 6: the wall clock jumps by an hour, forward and back."""

import asyncio
import contextlib
import mmap
import shutil
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from tocsin.cli.prove.asking import Asker
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.stack import Stack

HOUR_NS = 3_600 * 10**9
SOURCE = Path(__file__).with_name("clock_shim.c")
# What is posted after each jump to see where it stands in the inbox.
POSTS = 3
RATE = 200.0


class Clock(Fault):
    """
    Each node's clock is set an hour forward, back, an hour back, and right again.

    Every second node goes the other way, so that clocks also disagree. Only the
    nodes' own processes see it, by a shim of the C library that is compiled here:
    a machine's clock is nobody's to set, and time namespaces don't shift this
    clock. PostgreSQL keeps its own.
    """

    number = 6
    title = "wall clock ± 1 h"

    def __init__(self) -> None:
        self._shifts: list[mmap.mmap] = []

    def plan(self, plan: Plan) -> Plan:
        """Leave the machine some air: nobody may be cut for another reason."""
        return plan.gentle(RATE)

    @classmethod
    def obstacle(cls, has: frozenset[str]) -> str | None:
        """Return why it does not apply, or None."""
        if not sys.platform.startswith("linux"):
            return "it needs Linux"
        return super().obstacle(has) if shutil.which("cc") else "it needs a C compiler (cc)"

    @contextlib.asynccontextmanager
    async def arrange(self, stack: Stack) -> AsyncIterator[None]:
        """Give each node a clock of its own that can be shifted."""
        shim = stack.folder.resolve() / "clock_shim.so"
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(shim), str(SOURCE), "-ldl"]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        for number in range(stack.design.nodes):
            path = stack.folder.resolve() / f"clock-{number}"
            path.write_bytes(bytes(mmap.PAGESIZE))
            with path.open("r+b") as file:
                self._shifts.append(mmap.mmap(file.fileno(), mmap.PAGESIZE))
            stack.own[number] |= {"LD_PRELOAD": str(shim), "TOCSIN_PROVE_CLOCK": str(path)}
        try:
            yield
        finally:
            for shift in self._shifts:
                shift.close()

    async def inject(self, scene: Scene) -> None:
        """Jump under load, look who is still connected and where new notifications stand."""
        asker = Asker(scene, scene.stack.nodes[0])
        await scene.more_acked(200)
        posted = [(await _post(asker))[0]]
        was = [client.connects for client in scene.load.clients]
        for hours in (1, 0, -1, 0):
            self._shift(hours)
            scene.mark(f"clocks at {hours:+} h" if hours else "clocks right again")
            ids, told = zip(*[await _post(asker) for _ in range(POSTS)], strict=True)
            posted += ids
            scene.check(f"the node's clock is at {hours:+} h", {hours} == set(told))
            await asyncio.sleep(scene.plan.hold_s / 4)
            await scene.more_acked(200)
        cut = sum(now != before for now, before in zip([c.connects for c in scene.load.clients], was, strict=True))
        scene.check("nobody was disconnected", cut == 0, f"{cut} of {len(was)} clients came again")
        listed = [one["id"] for one in (await asker.read(len(posted))).json()["notifications"]]
        scene.check("the inbox has the newest first, whatever the clock said", listed == posted[::-1])

    def _shift(self, hours: int) -> None:
        for number, shift in enumerate(self._shifts):
            shift[:8] = struct.pack("q", hours * HOUR_NS * (-1) ** number)


async def _post(asker: Asker) -> tuple[str, int]:
    """Post once; return the id, and by how many hours its time is off."""
    answer = await asker.post()
    if answer.status != 201:
        raise RuntimeError(f"a post was answered {answer.status}")
    made = answer.json()
    off = datetime.fromisoformat(made["timestamp"]) - datetime.now(UTC)
    return made["id"], round(off.total_seconds() / 3600)
