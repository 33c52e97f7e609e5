"""
The inbox: creating, reading and marking notifications.

Who may do it is decided at the edges, which pass the user id of a verified
token. Rules of content are checked here, so that they hold for every caller.
"""

import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from tocsin.application.once import Once
from tocsin.application.ports import Store
from tocsin.application.validation import refuse_no_numbers
from tocsin.domain import notification as rules
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.domain.notification import (
    Change,
    InboxFilter,
    InboxPage,
    InboxStats,
    Notification,
    NotificationDraft,
    Scheduled,
)
from tocsin.domain.template import MAX_NAME
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
        self.on_scheduled: Callable[[], None] = lambda: None

    async def create(self, draft: NotificationDraft, once: Once | None = None) -> Notification:
        """
        Store one notification and deliver it.

        Raises:
            Invalid: A field breaks a rule, or it has expired; the detail names it.
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

    async def change(
        self, user_id: UserId, notification_id: str, change: Change, once: Once | None = None
    ) -> Notification:
        """
        Mark an own one as seen, read or unread, archive it or bring it back, snooze it.

        Raises:
            Invalid: It would be snoozed until an instant that has passed.
            NotFound: It is not the user's, or has expired.
        """
        return await self._store.change_notification(user_id, notification_id, change, once)

    async def archive_all(
        self, user_id: UserId, category: str | None = None, *, read_only: bool = False, once: Once | None = None
    ) -> int:
        """Archive what is listed, of a category, or the read ones alone; return how many they were."""
        return await self._store.archive_all_notifications(user_id, category, read_only=read_only, once=once)

    async def edit(self, notification_id: str, fields: Mapping[str, Any], once: Once | None = None) -> Notification:
        """
        Change the content of anybody's, everywhere and without a noise.

        A priority that has a ladder begins it, from then on, for an unread one of which nothing was ever sent.

        Args:
            notification_id: Which.
            fields: Of ``type, title, message, data, category, priority, sound, expires_at`` those that change.
            once: Makes it happen once.

        Raises:
            Invalid: A field breaks a rule.
            NotFound: There is none.
        """
        check_content(**fields)
        return await self._store.edit_notification(notification_id, fields, once)

    async def claim(self, user_id: UserId, notification_id: str) -> Notification:
        """
        Take what was sent to many for one of them; everybody who got it sees who that is.

        Once more by the same user changes nothing.

        Raises:
            Conflict: It is not there to be claimed.
            AlreadyClaimed: Somebody else was first.
            NotFound: It is not the user's, or has expired.
        """
        return await self._store.claim_notification(user_id, notification_id)

    async def schedule(
        self, drafts: Sequence[NotificationDraft], deliver_at: int, topic: str | None = None, once: Once | None = None
    ) -> builtins.list[Scheduled]:
        """
        Deliver later: in milliseconds since 1970, however far ahead; what has passed is delivered at once.

        Until then nobody sees it, and ``delete`` by its id takes it back.

        Raises:
            Invalid: A field breaks a rule, or it would have expired by then.
        """
        if not 1 <= len(drafts) <= rules.MAX_RECIPIENTS:
            raise Invalid(f"user_ids must hold 1 to {rules.MAX_RECIPIENTS} users")
        for draft in drafts:
            check_notification(draft)
            if draft.expires_at is not None and draft.expires_at <= deliver_at:
                raise Invalid("it would have expired before deliver_at")
        scheduled = await self._store.schedule_notifications(drafts, deliver_at, topic, once)
        self.on_scheduled()
        return scheduled

    async def list_scheduled(self, after: str = "", limit: int = 20) -> builtins.list[Scheduled]:
        """Return what waits for its time, in the order in which it was accepted."""
        return await self._store.list_scheduled(after, limit)

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
    check_text("title", draft.title, rules.MAX_TITLE, least=0 if draft.template else 1)
    check_text("message", draft.message, rules.MAX_MESSAGE, least=0)
    if draft.category is not None:
        check_text("category", draft.category, rules.MAX_CATEGORY)
    if draft.sound is not None:
        check_text("sound", draft.sound, rules.MAX_SOUND)
    if draft.data:
        _check_object("data", draft.data)
    if draft.collapse_key is not None:
        check_text("collapse_key", draft.collapse_key, rules.MAX_KEY)
    if draft.group_key is not None:
        check_text("group.key", draft.group_key, rules.MAX_KEY)
        if draft.collapse_key is not None:
            raise Invalid("give collapse_key or group, not both: one replaces a card, the other joins it")
    if draft.actor_name is not None:
        check_text("group.actor.name", draft.actor_name, rules.MAX_ACTOR_NAME)
    if draft.template is not None:
        check_text("template", draft.template, MAX_NAME)
    if draft.params:
        _check_object("params", draft.params)


_CONTENT: dict[str, tuple[int, int]] = {
    "type": (rules.MAX_TYPE, 1),
    "title": (rules.MAX_TITLE, 1),
    "message": (rules.MAX_MESSAGE, 0),
    "category": (rules.MAX_CATEGORY, 1),
    "sound": (rules.MAX_SOUND, 1),
}


def check_content(**fields: Any) -> None:
    """
    Check fields of content by the same rules.

    Raises:
        Invalid: A field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds 16 KiB encoded.
    """
    for name, (most, least) in _CONTENT.items():
        if fields.get(name) is not None:
            check_text(name, fields[name], most, least=least)
    if fields.get("data"):
        _check_object("data", fields["data"])


def _check_object(name: str, value: dict[str, Any]) -> None:
    try:
        encoded = orjson.dumps(value)
    except TypeError as error:
        raise Invalid(f"{name} is not JSON: {error}") from None
    refuse_no_numbers(value, encoded)
    if len(encoded) > rules.MAX_DATA_BYTES:
        raise PayloadTooBig(f"{name} exceeds {rules.MAX_DATA_BYTES} bytes")
