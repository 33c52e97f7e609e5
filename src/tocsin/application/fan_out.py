"""Notifications to all who follow a topic, or to a long list, made in parts while everything else goes on."""

import logging
from collections.abc import Sequence
from typing import Protocol

from tocsin.application.devices import check_topic
from tocsin.application.notifications import check_notification
from tocsin.application.once import Once
from tocsin.application.rounds import Rounds
from tocsin.domain.errors import Invalid, TocsinError
from tocsin.domain.fan_out import FanOutJob
from tocsin.domain.notification import MAX_BULK, NotificationDraft
from tocsin.domain.user_id import UserId

# What one transaction makes: writes of others wait no longer than for this many.
PART = 500
# How long a job of another process, or of one that died, may wait.
LOOK_S = 2.0

_log = logging.getLogger(__name__)


class FanOutStore(Protocol):
    """Jobs and their steps, a transaction each."""

    async def begin(self, topic: str, draft: NotificationDraft, once: Once | None = None) -> FanOutJob:
        """Store a job; whose ``user_id`` the draft has means nothing."""

    async def begin_list(
        self, user_ids: Sequence[UserId], draft: NotificationDraft, once: Once | None = None
    ) -> FanOutJob:
        """Store a job for a list of users, each once."""

    async def get(self, job_id: str) -> FanOutJob:
        """Return a job; NotFound when there is none, or it ended more than a week ago."""

    async def next_running(self, after: str) -> str | None:
        """Return the oldest job that is not done, of those that began after another; ``""``: of all."""

    async def step(self, job_id: str, part: int) -> FanOutJob:
        """
        Notify the next followers, at most ``part``, and move on, in one transaction; done when nobody is left.

        Once more, or by two processes at once, never notifies anybody twice.
        """


class FanOut:
    """
    Use-cases of topics that are published to. Belongs to the event loop's thread.

    Whoever follows the topic when the run comes by gets the notification, in ascending order of
    users: who subscribes behind it doesn't, who unsubscribes before it came doesn't either.
    A job survives every end of a process, and goes on where it was. Jobs take turns, so that
    one for a few does not wait for one for a million.

    Attributes:
        rounds: Its work. Jobs that were left are gone on with at the start; ``stop`` ends after the step that is
            under way.
    """

    def __init__(self, store: FanOutStore) -> None:
        self._store = store
        self.rounds = Rounds("notifying many", self._work_off, longest_s=LOOK_S)

    async def publish(self, topic: str, draft: NotificationDraft, once: Once | None = None) -> FanOutJob:
        """
        Accept a notification for all who follow a topic; return at once, with the job.

        Raises:
            Invalid: The topic or a field breaks a rule.
            PayloadTooBig: ``data`` exceeds 16 KiB encoded.
            KeyReused: ``once`` was used for another request.
        """
        check_topic(topic)
        check_notification(draft)
        job = await self._store.begin(topic, draft, once)
        self.rounds.hurry()
        return job

    async def publish_to(
        self, user_ids: Sequence[UserId], draft: NotificationDraft, once: Once | None = None
    ) -> FanOutJob:
        """
        Accept a notification for a list of users, each once; return at once, with the job.

        Raises:
            Invalid: There is none, more than 50,000, or a field breaks a rule.
            PayloadTooBig: ``data`` exceeds 16 KiB encoded.
            KeyReused: ``once`` was used for another request.
        """
        if not 1 <= len(user_ids) <= MAX_BULK:
            raise Invalid(f"user_ids must hold 1 to {MAX_BULK} users")
        check_notification(draft)
        job = await self._store.begin_list(user_ids, draft, once)
        self.rounds.hurry()
        return job

    async def get(self, job_id: str) -> FanOutJob:
        """Return how far a job is; NotFound when there is none."""
        return await self._store.get(job_id)

    async def _work_off(self) -> None:
        failed: set[str] = set()
        while await self._take_turns(failed):
            pass

    async def _take_turns(self, failed: set[str]) -> bool:
        """Make a part of each job, the oldest first; return whether any is left that did not fail."""
        job_id, is_left = "", False
        while (found := await self._store.next_running(job_id)) is not None:
            job_id = found
            if job_id in failed:
                continue
            try:
                job = await self._store.step(job_id, PART)
            except TocsinError:
                raise
            except Exception:  # noqa: BLE001 logged
                # A fault of one job must not end all later ones.
                _log.exception("a topic's notifications failed and will be tried again")
                failed.add(job_id)
                continue
            if job.state == "done":
                _log.info("%s: %d users were notified", f"topic {job.topic}" if job.topic else "a list", job.done)
            is_left |= job.state != "done"
        return is_left
