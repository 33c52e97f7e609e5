"""
Threads for the host's sync handlers: few, bounded, and never in the way of an exit.

What is run in them and for whom is told by ``host_events``.
"""

import asyncio
import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from queue import Empty, SimpleQueue
from typing import Any

from tocsin.domain.errors import Overloaded

MAX_WAITING = 1_000
RETRY_AFTER_S = 1.0
_COMPLAINT_S = 10.0

log = logging.getLogger(__name__)


def as_exception(error: BaseException) -> Exception:
    """Return the error as one that an event loop survives: ``sys.exit()`` in a handler must not end the server."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    exception = RuntimeError(f"the handler raised {type(error).__name__}")
    exception.__cause__ = error
    return exception


class _Job:
    __slots__ = ("call", "context", "error", "future", "lane", "result")

    def __init__(self, lane: Hashable, call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self.lane = lane
        self.call = call
        # What one call leaves in context variables must not be there for the next one of its thread.
        self.context = contextvars.copy_context()
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.result = self.context.run(self.call)
        except BaseException as error:  # noqa: BLE001 raised again where the result is awaited
            self.error = as_exception(error)


class HostThreads:
    """
    Runs sync calls in at most so many threads, those of one lane one after another.

    Calls of a lane run in the order in which they were made, so that a call that
    hangs keeps its own lane and one thread waiting and nothing else. The threads
    start when they are needed and are daemons: one that hangs does not keep the
    process alive. Belongs to the event loop's thread, except for the calls.

    Args:
        threads: Calls that run at a time.
        waiting: Lanes that may wait for a thread.
    """

    def __init__(self, threads: int, *, waiting: int = MAX_WAITING) -> None:
        self._limit = threads
        self._waiting = waiting
        self._threads = 0
        # A lane is here while one of its calls runs or waits for a thread; in its queue is what comes after.
        self._lanes: dict[Hashable, deque[_Job]] = {}
        self._futures: set[asyncio.Future[Any]] = set()
        self._ready: SimpleQueue[_Job | None] = SimpleQueue()
        self._is_stopped = False
        self._complained_at = -_COMPLAINT_S

    async def run(self, lane: Hashable, call: Callable[[], Any]) -> Any:
        """
        Run a call in a thread and return what it returns, or raise what it raises.

        Args:
            lane: Whose call it is.
            call: Raising SystemExit or the like is a RuntimeError.

        Raises:
            Overloaded: Too many wait for a thread, or the threads have been stopped.
        """
        if self._is_stopped:
            raise Overloaded("the server is stopping", retry_after_s=RETRY_AFTER_S)
        followers = self._lanes.get(lane)
        if followers is None and len(self._lanes) >= self._limit + self._waiting:
            self._complain()
            raise Overloaded("too many events wait for the application", retry_after_s=RETRY_AFTER_S)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        job = _Job(lane, call, future)
        if followers is None:
            self._lanes[lane] = deque()
            self._start(job)
        else:
            followers.append(job)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return await future

    async def stop(self, timeout_s: float) -> None:
        """Refuse what has not begun, and wait for what has for ``timeout_s`` at most."""
        self._is_stopped = True
        unstarted = [job for followers in self._lanes.values() for job in followers]
        try:
            while (job := self._ready.get_nowait()) is not None:
                unstarted.append(job)
        except Empty:
            pass
        for job in unstarted:
            if not job.future.done():
                job.future.set_exception(Overloaded("the server is stopping", retry_after_s=RETRY_AFTER_S))
        running = {future for future in self._futures if not future.done()}
        if running:
            _, running = await asyncio.wait(running, timeout=timeout_s)
        if running:
            log.warning("%d handlers of the application still run and are left behind", len(running))
        for _ in range(self._threads):
            self._ready.put(None)

    def _start(self, job: _Job) -> None:
        if self._threads < min(len(self._lanes), self._limit):
            self._add_thread(job.lane)
        self._ready.put(job)

    def _add_thread(self, lane: Hashable) -> None:
        name = f"tocsin-host-{self._threads + 1}"
        thread = threading.Thread(target=self._work, args=(asyncio.get_running_loop(),), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if self._threads:
                return  # those that are there will come to it
            del self._lanes[lane]
            raise Overloaded(f"no thread for the application: {error}", retry_after_s=RETRY_AFTER_S) from None
        self._threads += 1

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._ready.get()) is not None:
            job.run()
            try:
                loop.call_soon_threadsafe(self._finish, job)
            except RuntimeError:
                return  # the loop has been closed: nobody waits any more
            # An idle thread must not keep alive what its last call returned.
            del job

    def _finish(self, job: _Job) -> None:
        followers = self._lanes[job.lane]
        while followers and not self._is_stopped:
            after = followers.popleft()
            if not after.future.done():
                self._start(after)
                break
        else:
            del self._lanes[job.lane]
        if job.future.done():
            return
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)

    def _complain(self) -> None:
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAINT_S:
            self._complained_at = now
            log.warning(
                "events are refused: %d handlers of the application run and %d wait;"
                " give them timeouts, or raise TOCSIN_HOST_THREADS",
                self._limit,
                self._waiting,
            )
