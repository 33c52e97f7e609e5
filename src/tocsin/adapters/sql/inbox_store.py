"""The inbox's part of the store."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from tocsin.adapters.sql import arrivals, inbox, inbox_clock, inbox_queries, schedule
from tocsin.adapters.sql.group_commit import GroupCommit, Operation
from tocsin.adapters.sql.idempotency import unchanged
from tocsin.adapters.sql.inbox_statements import SQL
from tocsin.adapters.sql.readers import Readers
from tocsin.adapters.sql.transaction import NOTHING_FORESEEN, Foresee, Reader, Transaction
from tocsin.application.once import Once
from tocsin.application.texts import Lang
from tocsin.domain.errors import NotFound
from tocsin.domain.notification import (
    Change,
    InboxFilter,
    InboxPage,
    InboxStats,
    Notification,
    NotificationDraft,
    Scheduled,
    check_expiry,
)
from tocsin.domain.user_id import UserId

T = TypeVar("T")


class SqlInbox(ABC):
    """Implements ``InboxStore``; see there for what each method guarantees."""

    lang: Lang
    _writer: GroupCommit
    _readers: Readers
    _clock: Callable[[], int]

    @abstractmethod
    async def _write_once(
        self,
        once: Once | None,
        perform: Operation[T],
        to_json: Callable[[T], Any],
        from_json: Callable[[Any], T],
        *,
        size: int = 0,
        foresee: Foresee = NOTHING_FORESEEN,
    ) -> T:
        """Run an operation unless its key was used."""

    async def create_notifications(
        self, drafts: Sequence[NotificationDraft], once: Once | None = None
    ) -> list[Notification]:
        """Insert all or none, each with its event."""
        prepared = [arrivals.prepare(draft, self.lang) for draft in drafts]

        def create(transaction: Transaction) -> list[Notification]:
            # Here, where a retry of what was accepted in time does not come any more.
            check_expiry(drafts, transaction.now)
            return arrivals.create(transaction, prepared)

        return await self._write_once(
            once,
            create,
            inbox.many_to_json,
            inbox.many_from_json,
            size=sum(one.size for one in prepared),
            foresee=lambda: arrivals.foreseen(prepared),
        )

    async def get_notification(self, user_id: UserId, notification_id: str) -> Notification:
        """Return one of the user's own."""
        now = self._clock()
        return await self._readers.run(lambda reader: inbox_queries.get(reader, user_id, notification_id, now))

    async def list_notifications(
        self, user_id: UserId, wanted: InboxFilter, *, before: int | None, limit: int
    ) -> InboxPage:
        """Return a page in one snapshot."""
        now = self._clock()
        return await self._readers.run(
            lambda reader: inbox_queries.page(reader, user_id, wanted, before=before, limit=limit, now=now)
        )

    async def notification_stats(self, user_id: UserId) -> InboxStats:
        """Count in one snapshot."""
        now = self._clock()
        return await self._readers.run(lambda reader: inbox_queries.stats(reader, user_id, now))

    async def mark_notification_read(
        self, user_id: UserId, notification_id: str, once: Once | None = None
    ) -> Notification:
        """Mark one as read."""
        return await self._write_once(
            once,
            lambda transaction: inbox.mark_read(transaction, user_id, notification_id),
            inbox.to_json,
            inbox.from_json,
        )

    async def mark_all_notifications_read(
        self, user_id: UserId, category: str | None = None, once: Once | None = None
    ) -> int:
        """Mark the unread ones as read."""
        return await self._write_once(
            once, lambda transaction: inbox.mark_all_read(transaction, user_id, category), unchanged, unchanged
        )

    async def mark_notifications_seen(self, user_id: UserId, notification_ids: Sequence[str] | None) -> int:
        """Mark unseen ones as seen."""
        return await self._writer.run(lambda transaction: inbox.mark_seen(transaction, user_id, notification_ids))

    async def delete_notification(self, user_id: UserId | None, notification_id: str, once: Once | None = None) -> None:
        """Delete or retract one."""
        await self._write_once(
            once, lambda transaction: _delete(transaction, user_id, notification_id), unchanged, unchanged
        )

    async def change_notification(
        self, user_id: UserId, notification_id: str, change: Change, once: Once | None = None
    ) -> Notification:
        """Change the marks of one."""
        return await self._write_once(
            once,
            lambda transaction: inbox.change(transaction, user_id, notification_id, change),
            inbox.to_json,
            inbox.from_json,
        )

    async def archive_all_notifications(
        self, user_id: UserId, category: str | None, *, read_only: bool, once: Once | None = None
    ) -> int:
        """Archive what is listed."""

        def archive(transaction: Transaction) -> int:
            return inbox.archive_all(transaction, user_id, category, read_only=read_only)

        return await self._write_once(once, archive, unchanged, unchanged)

    async def edit_notification(
        self, notification_id: str, fields: Mapping[str, Any], once: Once | None = None
    ) -> Notification:
        """Change the content of one."""
        return await self._write_once(
            once,
            lambda transaction: inbox.edit(transaction, notification_id, dict(fields)),
            inbox.to_json,
            inbox.from_json,
        )

    async def claim_notification(self, user_id: UserId, notification_id: str) -> Notification:
        """Claim one."""
        return await self._writer.run(lambda transaction: inbox.claim(transaction, user_id, notification_id))

    async def schedule_notifications(
        self, drafts: Sequence[NotificationDraft], deliver_at: int, topic: str | None = None, once: Once | None = None
    ) -> list[Scheduled]:
        """Keep what is to be delivered later."""
        return await self._write_once(
            once,
            lambda transaction: schedule.keep(transaction, drafts, deliver_at, topic),
            lambda kept: [asdict(one) for one in kept],
            lambda saved: [Scheduled(**one) for one in saved],
        )

    async def list_scheduled(self, after: str, limit: int) -> list[Scheduled]:
        """Return what waits."""
        return await self._readers.run(lambda reader: schedule.page(reader, after, limit))

    async def next_change(self) -> int | None:
        """Return when time changes something next."""

        def earliest(reader: Reader) -> int | None:
            instants = [
                reader.execute(query, {}).fetchone()[0]
                for query in (SQL.next_snoozed, SQL.next_expiry, schedule.NEXT_DUE)
            ]
            return min((instant for instant in instants if instant is not None), default=None)

        return await self._readers.run(earliest)

    async def change_by_time(self, most: int) -> int:
        """Do what is due."""

        def act(transaction: Transaction) -> int:
            expired = inbox_clock.expire(transaction, most)
            woken = inbox_clock.wake(transaction, most, self.lang)
            return expired + woken + schedule.deliver(transaction, most, self.lang)

        return await self._writer.run(act)


def _delete(transaction: Transaction, user_id: UserId | None, notification_id: str) -> None:
    try:
        inbox.delete(transaction, user_id, notification_id)
    except NotFound:
        # A publisher may take back what is not there yet, too.
        if user_id is not None or not schedule.cancel(transaction, notification_id):
            raise
