"""
The inbox: creating, reading and marking notifications.

Who may do it is decided at the edges, which pass the user id of a verified
token. Rules of content are checked here, so that they hold for every caller.
"""

import builtins
from collections.abc import Sequence

import orjson

from tocsin.application.once import Once
from tocsin.application.ports import Store
from tocsin.domain import notification as rules
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.domain.notification import InboxFilter, InboxPage, InboxStats, Notification, NotificationDraft
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId

MAX_PAGE = 200
EVERYTHING = InboxFilter()


class Notifications:
    """
    Use-cases of the inbox. Belongs to the event loop's thread.

    A write returns after its row and its stream event are committed, and
    raises Overloaded or StorageFull when they are not.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, draft: NotificationDraft, once: Once | None = None) -> Notification:
        """
        Store one notification and deliver it.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
            PayloadTooBig: ``data`` exceeds 16 KiB encoded.
            KeyReused: ``once`` was used for another request.
        """
        return (await self.create_many([draft], once))[0]

    async def create_many(
        self, drafts: Sequence[NotificationDraft], once: Once | None = None
    ) -> builtins.list[Notification]:
        """
        Store all or none in one transaction; return them in the order given.

        Raises:
            Invalid: There is none, more than 1,000, or one breaks a rule.
            PayloadTooBig: The ``data`` of one exceeds 16 KiB encoded.
            KeyReused: ``once`` was used for another request.
        """
        if not 1 <= len(drafts) <= rules.MAX_RECIPIENTS:
            raise Invalid(f"user_ids must hold 1 to {rules.MAX_RECIPIENTS} users")
        for draft in drafts:
            check_notification(draft)
        return await self._store.create_notifications(drafts, once)

    async def get(self, user_id: UserId, notification_id: str) -> Notification:
        """Return one of the user's own; NotFound also for another's or an expired one."""
        return await self._store.get_notification(user_id, notification_id)

    async def stats(self, user_id: UserId) -> InboxStats:
        """Count one inbox in one snapshot."""
        return await self._store.notification_stats(user_id)

    async def mark_read(self, user_id: UserId, notification_id: str, once: Once | None = None) -> Notification:
        """Mark one as read (and so as seen); marking twice changes nothing."""
        return await self._store.mark_notification_read(user_id, notification_id, once)

    async def mark_all_read(self, user_id: UserId, category: str | None = None, once: Once | None = None) -> int:
        """Mark every unread one, or those of a category; return how many they were."""
        return await self._store.mark_all_notifications_read(user_id, category, once)

    async def mark_seen(self, user_id: UserId, notification_ids: Sequence[str] | None = None) -> int:
        """
        Mark the given ones, or all, as seen; return how many were not before.

        Raises:
            Invalid: More than 200 ids.
        """
        if notification_ids is not None and len(notification_ids) > MAX_PAGE:
            raise Invalid(f"ids must hold at most {MAX_PAGE} ids")
        return await self._store.mark_notifications_seen(user_id, notification_ids)

    async def delete(self, user_id: UserId | None, notification_id: str, once: Once | None = None) -> None:
        """Delete one of the user's own; with None, retract anybody's everywhere."""
        await self._store.delete_notification(user_id, notification_id, once)

    async def list(
        self, user_id: UserId, wanted: InboxFilter = EVERYTHING, *, before: int | None = None, limit: int = 20
    ) -> InboxPage:
        """
        Return a page of an inbox, newest first, read in one snapshot.

        Raises:
            Invalid: ``limit`` is not 1 to 200.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"limit must be 1 to {MAX_PAGE}")
        return await self._store.list_notifications(user_id, wanted, before=before, limit=limit)


def check_notification(draft: NotificationDraft) -> None:
    """
    Check the rules that hold for every caller, in any thread.

    Raises:
        Invalid: A field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds 16 KiB encoded.
    """
    check_text("type", draft.type, rules.MAX_TYPE)
    check_text("title", draft.title, rules.MAX_TITLE)
    check_text("message", draft.message, rules.MAX_MESSAGE, least=0)
    if draft.category is not None:
        check_text("category", draft.category, rules.MAX_CATEGORY)
    if draft.sound is not None:
        check_text("sound", draft.sound, rules.MAX_SOUND)
    if draft.data:
        try:
            encoded = orjson.dumps(draft.data)
        except TypeError as error:
            raise Invalid(f"data is not JSON: {error}") from None
        if len(encoded) > rules.MAX_DATA_BYTES:
            raise PayloadTooBig(f"data exceeds {rules.MAX_DATA_BYTES} bytes")
