"""
One writer thread, and one transaction for all that waits: group commit.

A commit costs a disk flush. Operations that arrive while one transaction runs
share the next, so the flush is paid once for all of them and a caller still
hears of its own only after it is on disk. What the operations do is not known
here.
"""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from tocsin.adapters.failpoint import Failpoints
from tocsin.adapters.sql.transaction import NOTHING_FORESEEN, Foresee, Foreseen, Transaction
from tocsin.adapters.sql.waiting import Waiting, ends
from tocsin.adapters.sql.writing import Writing
from tocsin.application.meters import SIZES, Histogram
from tocsin.application.tracing import Origin, Tracing
from tocsin.domain.errors import Overloaded, TocsinError
from tocsin.domain.stream import StreamEvent

T = TypeVar("T")
Operation = Callable[[Transaction], T]

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * 2**20

# A transaction takes no more operations beyond either, so that its first caller
# is not kept waiting by what came after.
_MAX_TOGETHER = 1_000
_MAX_CHANGES = 5_000

# A busy event loop gives the interpreter lock up and takes it back at once, at
# every poll; a thread that waits for it is woken each time and comes too late,
# for seconds on end, because only a wait longer than the switch interval (5 ms)
# forces a hand-over. Shorter than a loop's turn it ends in time: with a loop at
# 100 % the slowest commit of a run went from 8 s to 20 ms.
_SWITCH_INTERVAL_S = 0.0001

_log = logging.getLogger(__name__)


class CommitMeters:
    """
    What a writer has done, over all its lives.

    Attributes:
        sizes: Operations that shared a transaction.
        seconds: From the first operation of a transaction to the end of its commit.
        again: Transactions that failed, whose operations were then tried one by one or refused.
        waiting: Operations that wait now.
        waiting_bytes: What they hold, about.
    """

    def __init__(self) -> None:
        self.sizes = Histogram(SIZES)
        self.seconds = Histogram()
        self.again = 0
        self.waiting = 0
        self.waiting_bytes = 0


class _Job:
    """An accepted operation on its way: what to run, who waits, what came of it."""

    __slots__ = ("error", "events", "foresee", "future", "operation", "origin", "result", "size")

    def __init__(self, operation: Operation[Any], future: asyncio.Future[Any], size: int, foresee: Foresee) -> None:
        self.operation = operation
        self.future = future
        self.size = size
        self.foresee = foresee
        # Where in a trace it was asked for, and when.
        self.origin: tuple[Origin, int] | None = None
        self.result: Any = None
        self.error: Exception | None = None
        self.events: Sequence[StreamEvent] = ()


class GroupCommit:
    """
    Runs operations in the order of their arrival and commits them together.

    ``run`` and ``stop`` belong to the event loop's thread; operations run in the
    writer thread. For each transaction the loop is woken once: ``on_commit``
    gets the events of all its operations in commit order, then the callers go
    on. An operation that fails leaves nothing behind and disturbs no other.

    It shortens the interpreter's switch interval for the whole process.

    Args:
        database: Used by the writer thread alone until ``stop`` returns.
        on_commit: Called on the loop's thread; must not block.
        clock: Milliseconds since 1970.
        meters: Counts what is done.
        tracing: Follows what is asked for; None: nothing is followed.
    """

    def __init__(
        self,
        database: Writing,
        on_commit: Callable[[Sequence[StreamEvent]], None],
        clock: Callable[[], int],
        failpoints: Failpoints,
        *,
        meters: CommitMeters | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._database = database
        self._on_commit = on_commit
        self._clock = clock
        self._failpoints = failpoints
        self._meters = meters or CommitMeters()
        self._tracing = tracing
        self._intake: SimpleQueue[_Job | None] = SimpleQueue()
        self._callers = Waiting()
        self._meters.waiting = self._meters.waiting_bytes = 0
        self._is_open = True
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, name="tocsin-writer", daemon=True)
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL_S))
        self._thread.start()

    async def run(self, operation: Operation[T], size: int = 0, foresee: Foresee = NOTHING_FORESEEN) -> T:
        """
        Return the operation's result once it is on disk.

        An accepted operation is carried out even when its caller is cancelled.

        Args:
            operation: Called once with its transaction; again in one of its
                own when another operation spoilt the shared one.
            size: Bytes that it holds while it waits, about.
            foresee: Says what it will ask of the database, as far as that is known.

        Raises:
            Overloaded: Too much waits already, the database is locked by another
                process, or the writer has stopped: nothing was done. Or the
                connection was lost, or there was no answer for ANSWER_S: it
                may have been done, or may yet be.
            StorageFull: Nothing was done.
        """
        if not self._is_open:
            raise Overloaded("the server is stopping", retry_after_s=5.0)
        meters = self._meters
        if meters.waiting >= MAX_WAITING or (meters.waiting and meters.waiting_bytes + size > MAX_WAITING_BYTES):
            raise Overloaded("too many writes are waiting", retry_after_s=1.0)
        meters.waiting += 1
        meters.waiting_bytes += size
        future: asyncio.Future[T] = self._loop.create_future()
        self._callers.add(future)
        job = _Job(operation, future, size, foresee)
        if self._tracing is not None and (origin := self._tracing.origin()) is not None:
            job.origin = origin, time.time_ns()
        self._intake.put(job)
        return await future

    async def stop(self) -> None:
        """Refuse what is new, commit what was accepted as long as the database answers, end the thread."""
        if self._is_open:
            self._is_open = False
            self._intake.put(None)
        if not await ends(self._ended):
            self._database.interrupt()
        await asyncio.shield(self._ended)
        self._thread.join()

    # In the writer thread

    def _serve(self) -> None:
        while (job := self._intake.get()) is not None:
            taken = [job]
            begun_at = time.perf_counter()
            try:
                self._commit_together(taken)
            except Exception as error:  # noqa: BLE001 each one is told its own error when it runs alone
                self._database.roll_back()
                self._meters.again += 1
                self._commit_again(taken, error)
            self._meters.seconds.observe(time.perf_counter() - begun_at)
            self._meters.sizes.observe(len(taken))
            self._loop.call_soon_threadsafe(self._settle, taken)
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _commit_together(self, taken: list[_Job]) -> None:
        database = self._database
        foreseen = [] if database.sees_newer else self._take_most(taken)
        try:
            database.begin(foreseen)
        except Exception as error:  # noqa: BLE001 the callers get it
            # Whoever waited during the time-out has waited enough.
            while self._take_next(taken):
                pass
            self._refuse(taken, error)
            return
        before = database.changes
        known: dict[str, bool] = {}
        for job in taken:
            self._carry_out(job, known)
        while database.sees_newer and database.changes - before < _MAX_CHANGES and self._take_next(taken):
            self._carry_out(taken[-1], known)
        database.commit()

    def _take_most(self, taken: list[_Job]) -> list[Foreseen]:
        """Take what there is, and return what each foresees."""
        foreseen = [taken[0].foresee()]
        events = len(foreseen[0].streams)
        while len(taken) < self._database.most_together and events < _MAX_CHANGES and self._take_next(taken):
            foreseen.append(taken[-1].foresee())
            events += len(foreseen[-1].streams)
        return foreseen

    def _commit_again(self, taken: list[_Job], error: Exception) -> None:
        if self._database.is_lost:
            # Nobody knows whether it was committed: to do it again might be to do it twice.
            self._refuse(taken, error)
        elif not (self._database.is_conflict(error) and self._commit_undisturbed(taken)):
            self._database.make_room(error)
            left = iter(taken)
            for one in left:
                if not self._commit_alone(one):
                    self._refuse([*left], one.error or error)

    def _commit_undisturbed(self, taken: list[_Job]) -> bool:
        """Commit once more what met other writers, while they wait; return whether nothing came of it."""
        try:
            self._database.begin([job.foresee() for job in taken], alone=True)
            known: dict[str, bool] = {}
            for job in taken:
                job.result, job.error, job.events = None, None, ()
                self._carry_out(job, known)
            self._database.commit()
        except Exception as error:  # noqa: BLE001 the callers get it
            self._database.roll_back()
            if self._database.is_lost:
                self._refuse(taken, error)
            return self._database.is_lost
        return True

    def _refuse(self, taken: list[_Job], error: Exception) -> None:
        told = self._database.refusal(error) or error
        for job in taken:
            job.result, job.error, job.events = None, told, ()

    def _take_next(self, taken: list[_Job]) -> bool:
        if len(taken) >= _MAX_TOGETHER:
            return False
        try:
            job = self._intake.get_nowait()
        except Empty:
            return False
        if job is None:
            self._intake.put(None)  # the end comes after this batch
            return False
        taken.append(job)
        return True

    def _carry_out(self, job: _Job, known: dict[str, bool]) -> None:
        transaction = self._database.transaction(self._clock(), known)
        try:
            job.result = job.operation(transaction)
        except TocsinError as error:
            if transaction.has_changed():
                raise
            job.error = error
        else:
            job.events = transaction.events

    def _commit_alone(self, job: _Job) -> bool:
        """Commit or refuse one; return whether a transaction could be begun, or the others need not wait for theirs."""
        job.result, job.error, job.events = None, None, ()
        has_begun = False
        try:
            self._database.begin([job.foresee()], alone=True)
            has_begun = True
            self._carry_out(job, {})
            self._database.commit()
        except Exception as error:  # noqa: BLE001 the caller gets it
            self._database.roll_back()
            self._refuse([job], error)
        return has_begun

    # On the loop's thread

    def _settle(self, taken: list[_Job]) -> None:
        if self._tracing is not None:
            for job in taken:
                if job.origin is not None and job.error is None:
                    self._tracing.committed(*job.origin, job.events, len(taken))
        events = [event for job in taken for event in job.events]
        if events:
            self._failpoints.reach("after_commit_before_emit")
            try:
                self._on_commit(events)
            except Exception:  # noqa: BLE001 logged
                # It is committed: the writers must hear so whatever the readers do.
                _log.exception("a reader of committed events failed")
            self._failpoints.reach("after_emit_before_ack")
        self._callers.answered(len(taken))
        for job in taken:
            self._meters.waiting -= 1
            self._meters.waiting_bytes -= job.size
            if job.future.done():
                continue  # its caller was cancelled, or told that there is no answer
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)
