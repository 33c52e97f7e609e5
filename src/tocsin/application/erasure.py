"""Forgets users: a job in the database for each, worked off in the background, and their sockets cut meanwhile."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from tocsin.application.rounds import Rounds
from tocsin.domain.erasure import Erasure, State
from tocsin.domain.errors import NotFound, TocsinError
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

# How late another process hears of a job: its sockets of the user are cut by then.
LOOK_S = 2.0

OnCut = Callable[[Sequence[StreamKey]], None]

_log = logging.getLogger(__name__)


class ErasureStore(Protocol):
    """The jobs, and the rows that they delete. Every method raises what ``Store`` says."""

    async def request(self, user_id: UserId) -> Erasure:
        """Begin to erase a user, unless it has begun already."""

    async def find(self, user_id: UserId) -> Erasure | None:
        """Return the job of a user; None: there is none, so nothing is left where there was one."""

    async def list(self) -> list[Erasure]:
        """Return all jobs, the oldest first."""

    async def work(self, user_id: UserId, on_cut: OnCut) -> Erasure | None:
        """
        Erase all that there is of a user, in short transactions, if it is due and nobody else is at it.

        What was done stays done whenever the process dies; the next one goes on within half a minute. Once all is
        gone the job settles, and when that is over and a last look has found nothing, it goes as well.

        Args:
            user_id: Whose job.
            on_cut: Called with streams of others that were cut off, because they named the user.

        Returns:
            The job as it is then; None: it is no more.
        """


class Erasures:
    """
    Erases users. Belongs to the event loop's thread.

    Args:
        store: The jobs.
        wake: Called with streams that clients are to be told of.
        cut: Called with a user whose sockets on this node are to be cut, now and again until nothing is left.
        look_s: Seconds between looks for jobs that other processes have begun.

    Attributes:
        rounds: Its work. What a process that died has left is gone on with at the start; ``stop`` ends after the
            transaction that is under way, and the rest comes after the next start.
    """

    def __init__(
        self,
        store: ErasureStore,
        wake: OnCut,
        cut: Callable[[UserId], None],
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._store = store
        self._wake = wake
        self._cut = cut
        self._seen: dict[UserId, State] = {}
        self.rounds = Rounds("erasing users", self.work_off, longest_s=look_s)

    async def request(self, user_id: UserId) -> Erasure:
        """
        Begin to erase a user; once more changes nothing.

        What is written for the user until the job is gone goes as well. It is durable when this returns.
        """
        erasure = await self._store.request(user_id)
        if user_id not in self._seen:
            # Now, not when its turn comes: the job of another may take minutes.
            self._seen[user_id] = erasure.state
            self._cut(user_id)
        self.rounds.hurry()
        return erasure

    async def get(self, user_id: UserId) -> Erasure:
        """
        Return how far it is.

        Raises:
            NotFound: Nobody erases this user: it is done, or was never asked for.
        """
        erasure = await self._store.find(user_id)
        if erasure is None:
            raise NotFound("this user is not being erased; if that was asked for, it is done")
        return erasure

    async def work_off(self) -> None:
        """Cut the sockets of users whose jobs have begun or moved on, and do what is due."""
        jobs = await self._store.list()
        self._look([*jobs])
        for job in jobs:
            try:
                erased = await self._store.work(job.user_id, self._wake)
            except TocsinError:
                raise
            except Exception:  # noqa: BLE001 logged
                # A fault of one job must not end all later ones.
                _log.exception("the erasure of a user failed and will be tried again")
                continue
            if erased is None or erased.state != job.state:
                self._look(await self._store.list())

    def _look(self, jobs: list[Erasure]) -> None:
        now = {job.user_id: job.state for job in jobs}
        changed = {user_id for user_id, state in now.items() if self._seen.get(user_id) != state}
        # Also when all is done: who came back meanwhile holds a cursor of streams that are no more.
        for user_id in changed | (self._seen.keys() - now.keys()):
            self._cut(user_id)
        self._seen = now
