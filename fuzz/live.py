"""
Mutated sessions against a real server process: ``python -m fuzz live --minutes 1``.

Clients of other users are told what is published meanwhile, and must miss
nothing; the server may log no error and hold no more memory than before. The
journals and their checker are those of ``tocsin prove``.
"""

import asyncio
import contextlib
import random
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutation import Piece, mutated, originals
from tocsin.cli.prove.checker import Verdict, check_folder
from tocsin.cli.prove.load import Load
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.stack import Design, Stack
from tocsin.cli.prove.timeline import Timeline

OFFENDERS = 16
# Another address than the bystanders': bounds of an address are theirs alone.
OFFENDERS_HOST = "127.0.0.2"
ANSWER_S = 0.05
MAX_IDLE = 200
CAUGHT_UP_S = 30.0
WARM_UP = 200
_SID = re.compile(rb'"sid":"([A-Za-z0-9._-]+)"')
_BAD = re.compile(r"Traceback|\[(?:error|critical) *\]")


@dataclass(slots=True)
class Report:
    """
    What a run has shown.

    Attributes:
        sessions: Mutated sessions sent.
        answered: Of them, those that got at least one answer.
        verdict: What became of the bystanders' notifications.
        rss_before_kib: The server's memory after the first sessions.
        rss_after_kib: And after all, their connections closed.
        complaints: Lines of the server's log that should not be there.
    """

    sessions: int = 0
    answered: int = 0
    verdict: Verdict | None = None
    rss_before_kib: int = 0
    rss_after_kib: int = 0
    complaints: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Return whether nobody but the offenders noticed."""
        kept = self.verdict is not None and self.verdict.is_kept and self.verdict.acked > 0
        # Caches fill up for a while; a leak grows with every session.
        return kept and not self.complaints and self.rss_after_kib < self.rss_before_kib * 1.5 + 32_768


class Offenders:
    """Sends mutated sessions, some at a time; belongs to one event loop."""

    def __init__(self, address: tuple[str, int], token: bytes, seed: int, report: Report) -> None:
        self._address = address
        self._originals = originals(token)
        self._draw = random.Random(seed)
        self._report = report
        self._idle: list[asyncio.StreamWriter] = []

    async def run(self, number: int, until: float) -> None:
        """Send sessions one after the other, ``number`` in all by everybody or until a moment."""
        while self._report.sessions < number and time.monotonic() < until:
            self._report.sessions += 1
            pieces = mutated(self._draw.choice(self._originals), self._originals, self._draw)
            with contextlib.suppress(OSError, TimeoutError):
                await self._send(pieces)

    async def _send(self, pieces: list[Piece]) -> None:
        reader, writer = await asyncio.open_connection(*self._address, local_addr=(OFFENDERS_HOST, 0))
        sid, heard = b"none", b""
        try:
            for piece in pieces:
                writer.write(piece.bytes(sid))
                if piece.answers:
                    with contextlib.suppress(TimeoutError):
                        heard = await asyncio.wait_for(reader.read(65_536), ANSWER_S)
                        if not heard:
                            break
                        self._report.answered += heard[:1] == b"H"
                    if found := _SID.search(heard):
                        sid = found[1]
        finally:
            self._leave(writer)

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        way = self._draw.randrange(3)
        if way == 0:
            writer.transport.abort()
        elif way == 1:
            writer.close()
        else:
            # It never says anything again.
            self._idle.append(writer)
            if len(self._idle) > MAX_IDLE:
                oldest = self._idle.pop(0)
                oldest.transport.abort()

    def end(self) -> None:
        """Cut what is idle."""
        for writer in self._idle:
            writer.transport.abort()
        self._idle.clear()


async def run(folder: Path, *, sessions: int, minutes: float, seed: int) -> Report:
    """Send so many mutated sessions, or for so long, whatever ends first; return what came of it."""
    report = Report()
    stack = Stack(Design(), folder)
    stack.environment["TOCSIN_LIMIT_ADDRESS_CONNECTIONS"] = "1000"
    timeline = Timeline()
    async with stack.parts(), stack.running():
        load = Load(Plan(posts=1, producers=1, clients=8, rate=50.0), stack, timeline, "bystander")
        async with load.connected():
            posting = asyncio.create_task(load.post())
            offenders = Offenders(stack.addresses[0], load.token("offender").encode(), seed, report)
            until = time.monotonic() + minutes * 60
            pid = stack.nodes[0].pid
            await _all(offenders, min(WARM_UP, sessions), until)
            report.rss_before_kib = rss_kib(pid)
            await _all(offenders, sessions, until)
            offenders.end()
            load.fault_is_over()
            await posting
            async with asyncio.timeout(CAUGHT_UP_S):
                while not load.has_shown(load.acked):  # noqa: ASYNC110 nobody tells
                    await asyncio.sleep(0.05)
            report.rss_after_kib = rss_kib(pid)
            assert stack.nodes[0].is_running
    lines = (folder / "node-0.log").read_text(errors="replace").splitlines()
    report.complaints = tuple(line for line in lines if _BAD.search(line))
    report.verdict = check_folder(folder)
    return report


async def _all(offenders: Offenders, number: int, until: float) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(OFFENDERS):
            group.create_task(offenders.run(number, until))


def rss_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def main(minutes: float, seed: int) -> bool:
    """Run for so long and print what came of it; return whether nobody but the offenders noticed."""
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(Path(folder), sessions=10**9, minutes=minutes, seed=seed))
    assert report.verdict is not None
    counts = ", ".join(f"{name} {count.number}" for name, count in report.verdict.counts())
    print(
        f"live, seed {seed}: {report.sessions:,} sessions, {report.answered:,} answers; "
        f"bystanders: {report.verdict.acked:,} acknowledged, {counts}; "
        f"memory {report.rss_before_kib:,} KiB, then {report.rss_after_kib:,} KiB; "
        f"{len(report.complaints)} complaints in the log"
    )
    for line in report.complaints[:20]:
        print(f"  {line}")
    return report.is_good
