"""
Starts the workers, starts another for one that dies or hangs, replaces them one by one, stops them.

Serves nothing itself and opens no database. What a worker is told is in
``rest/seat.py``; the port's sockets stay open here, so that what connects while
a worker dies waits for the next one.
"""

import asyncio
import logging
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from tocsin.bootstrap import cant_listen
from tocsin.cli.workers.worker import LEAVE_S, Worker, reason
from tocsin.domain.jitter import jitter
from tocsin.rest import systemd
from tocsin.rest.seat import bind_together
from tocsin.rest.serve import url_of
from tocsin.settings import Settings

_log = logging.getLogger(__name__)

# A worker that has lived so long did not die of what it starts with.
STEADY_S = 10.0
MAX_BACK_OFF_S = 30.0


def supervise(settings: Settings, on_ready: Callable[[str], None]) -> int:
    """
    Serve with several workers until a signal; return the exit status.

    SIGTERM and SIGINT drain all of them, a second one ends that at once. SIGHUP replaces them
    one by one, each by one that is ready before the old one drains.

    Args:
        settings: How many, and where to listen.
        on_ready: Called with the URL once all answer requests.

    Raises:
        StartError: The port is taken.
    """
    try:
        listeners = bind_together(settings.host, settings.port, settings.workers)
    except OSError as error:
        raise cant_listen(settings, error) from error
    with _meeting_place() as folder:
        return asyncio.run(_Supervisor(listeners, folder).run(on_ready))


@contextmanager
def _meeting_place() -> Generator[Path, None, None]:
    """Make the folder of the workers' sockets; what cleans temporary folders leaves it alone."""
    import fcntl  # noqa: PLC0415 there is none on Windows

    # Short, because the path of a Unix socket has a hundred bytes; only this user may enter.
    folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
    # systemd-tmpfiles would take the sockets after some days: of a unit with PrivateTmp it does not see that
    # somebody listens. It passes by what is locked (https://systemd.io/TEMPORARY_DIRECTORIES).
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


class _Supervisor:
    """One run of ``supervise``."""

    def __init__(self, listeners: list[socket.socket], folder: Path) -> None:
        self._listeners = listeners
        self._folder = folder
        self._numbers = iter(range(1, 1_000_000_000))
        # Who answers, by place.
        self._workers: dict[int, Worker] = {}
        # All that live, those that leave or are not ready yet among them.
        self._living: set[Worker] = set()
        self._failures = dict.fromkeys(range(len(listeners)), 0)
        self._swapping = {place: asyncio.Lock() for place in range(len(listeners))}
        self._stopping = asyncio.Event()
        self._has_to_roll = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        # With which status the last one ended that never answered.
        self._refusal = 1

    async def run(self, on_ready: Callable[[str], None]) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._has_to_roll.set)
        # One alone first: it brings the database up to date, and what can't work is told once.
        with systemd.extending():
            first = await self._start(0)
        if self._stopping.is_set():
            return await self._stopped()
        if first is None:
            return self._refusal
        await asyncio.gather(*(self._fill(place) for place in range(1, len(self._listeners))))
        if not self._stopping.is_set():
            on_ready(url_of(self._listeners[0]))
            systemd.ready()
            self._spawn(self._roll_when_asked())
        await self._stopping.wait()
        return await self._stopped()

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, place: int) -> Worker | None:
        """Start a worker; return it once it answers requests, None when it never did or there can be no process."""
        try:
            worker = await Worker.start(next(self._numbers), place, self._listeners, self._folder)
        except OSError as error:
            _log.error("no process can be started: %s", error)
            return None
        self._living.add(worker)
        if self._stopping.is_set():
            worker.stop()
        if not await worker.is_ready():
            self._living.discard(worker)
            self._refusal = max(await worker.ended(), 1)
            return None
        for vacant in self._failures.keys() - self._workers.keys() - {place}:
            worker.tell(f"accept {vacant}")
        self._workers[place] = worker
        self._spawn(self._watch(worker))
        return worker

    async def _watch(self, worker: Worker) -> None:
        hanging = asyncio.get_running_loop().create_task(worker.end_if_it_hangs())
        try:
            status = await worker.ended()
        finally:
            hanging.cancel()
        self._living.discard(worker)
        if worker.is_leaving or self._stopping.is_set():
            return
        _log.error("%s has ended: %s; another takes its place", worker, reason(status))
        if asyncio.get_running_loop().time() - worker.started_at > STEADY_S:
            self._failures[worker.place] = 0
        if self._workers.get(worker.place) is worker:
            del self._workers[worker.place]
            self._tell_others(worker.place, "accept")
            await self._fill(worker.place)

    async def _fill(self, place: int) -> None:
        """Give a place a worker, however often that fails; the others accept for it meanwhile."""
        while not self._stopping.is_set():
            await self._sleep(_back_off(self._failures[place]))
            self._failures[place] += 1
            async with self._swapping[place]:
                if place in self._workers or self._stopping.is_set():
                    break
                if await self._start(place) is not None:
                    break
            _log.error("a worker did not start, %d times now", self._failures[place])
        self._tell_others(place, "release")

    def _tell_others(self, place: int, verb: str) -> None:
        for other in self._workers.values():
            if other.place != place:
                other.tell(f"{verb} {place}")

    async def _roll_when_asked(self) -> None:
        while True:
            await self._has_to_roll.wait()
            self._has_to_roll.clear()
            systemd.notify_reloading()
            with systemd.extending():
                await self._roll()
            systemd.notify("READY=1")

    async def _roll(self) -> None:
        _log.info("replacing the workers one by one")
        for place in sorted(self._failures):
            async with self._swapping[place]:
                old = self._workers.get(place)
                if self._stopping.is_set():
                    return
                if await self._start(place) is None:
                    # Whatever was changed does not work: better the old ones than none.
                    _log.error("the new worker did not start; the others stay as they are")
                    return
                self._failures[place] = 0
            if old is not None:
                old.leave()
                if not await old.ended_in_time():
                    _log.warning("%s did not leave within %d s and was killed", old, LEAVE_S)
        _log.info("all workers are replaced")

    def _stop(self) -> None:
        self._stopping.set()
        # Or what connects when the last worker has gone would wait for nobody.
        for listener in self._listeners:
            listener.close()
        for worker in self._living:
            worker.stop()

    async def _stopped(self) -> int:
        systemd.notify("STOPPING=1")
        left = await asyncio.gather(*(worker.ended_in_time() for worker in list(self._living)))
        for task in self._tasks:
            task.cancel()
        if not all(left):
            _log.warning("%d workers did not leave within %d s and were killed", left.count(False), LEAVE_S)
        return 0

    async def _sleep(self, seconds: float) -> None:
        if seconds:
            await asyncio.wait({asyncio.create_task(self._stopping.wait())}, timeout=seconds)


def _back_off(failures: int) -> float:
    """Return seconds until the next attempt: none at first, then 0.5 to 30, twice as long each time."""
    return jitter(0.5, 1.0) * min(MAX_BACK_OFF_S, 0.5 * 2.0**failures) if failures else 0.0
