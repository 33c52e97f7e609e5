"""What the use-cases of the inbox need from a store; a part of ``ports.Store``."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tocsin.application.once import Once
from tocsin.domain.notification import (
    Change,
    InboxFilter,
    InboxPage,
    InboxStats,
    Notification,
    NotificationDraft,
    Scheduled,
)
from tocsin.domain.user_id import UserId


class InboxStore(Protocol):
    """
    Inboxes: rows and the streams that tell of them, written in one transaction each.

    Every event of ``/notifications`` carries the badge as of its seq.
    """

    async def create_notifications(
        self, drafts: Sequence[NotificationDraft], once: Once | None = None
    ) -> list[Notification]:
        """Insert all or none, each with its ``notification`` event, users in ascending id."""

    async def get_notification(self, user_id: UserId, notification_id: str) -> Notification:
        """Return one of the user's own; NotFound also for another's or an expired one."""

    async def list_notifications(
        self, user_id: UserId, wanted: InboxFilter, *, before: int | None, limit: int
    ) -> InboxPage:
        """Return a page of an inbox, newest first, read in one snapshot."""

    async def notification_stats(self, user_id: UserId) -> InboxStats:
        """Count one inbox in one snapshot."""

    async def mark_notification_read(
        self, user_id: UserId, notification_id: str, once: Once | None = None
    ) -> Notification:
        """Set ``read_at`` (and ``seen_at``) and emit ``notification_read``; already read: no event."""

    async def mark_all_notifications_read(
        self, user_id: UserId, category: str | None = None, once: Once | None = None
    ) -> int:
        """Mark every unread one (of the category); one ``notification_read`` event if any was."""

    async def mark_notifications_seen(self, user_id: UserId, notification_ids: Sequence[str] | None) -> int:
        """Set ``seen_at`` on the given or all unseen ones; one ``notification_updated`` if any was."""

    async def delete_notification(self, user_id: UserId | None, notification_id: str, once: Once | None = None) -> None:
        """Delete and emit ``notification_deleted``; ``user_id`` None retracts anybody's."""

    async def change_notification(
        self, user_id: UserId, notification_id: str, change: Change, once: Once | None = None
    ) -> Notification:
        """Change the marks of an own one and emit one event; as they are already: none."""

    async def archive_all_notifications(
        self, user_id: UserId, category: str | None, *, read_only: bool, once: Once | None = None
    ) -> int:
        """Archive what is listed (of the category, the read ones); one ``notification_updated`` if any was."""

    async def edit_notification(
        self, notification_id: str, fields: Mapping[str, Any], once: Once | None = None
    ) -> Notification:
        """Change the content of anybody's and emit ``notification_updated``; as it is already: no event."""

    async def claim_notification(self, user_id: UserId, notification_id: str) -> Notification:
        """
        Claim an own one, once for all who got it, and tell them all in the same transaction.

        Raises:
            Conflict: It is not there to be claimed.
            AlreadyClaimed: Somebody else was first.
        """

    async def schedule_notifications(
        self, drafts: Sequence[NotificationDraft], deliver_at: int, topic: str | None = None, once: Once | None = None
    ) -> list[Scheduled]:
        """Keep what is to be delivered later; each draft's ``id`` will be that of its notification."""

    async def list_scheduled(self, after: str, limit: int) -> list[Scheduled]:
        """Return what waits, by id, which is the order in which it was accepted."""

    async def next_change(self) -> int | None:
        """Return when time changes something next: a snooze, a schedule or an expiry; in milliseconds since 1970."""

    async def change_by_time(self, most: int) -> int:
        """
        Take out what has expired, bring back what was snoozed, deliver what is due, a number at ``most`` of each.

        In one transaction, with its events; return how many rows were due. By two processes at once
        nothing is done twice.
        """
