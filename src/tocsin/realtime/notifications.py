"""Client events of ``/notifications``: the inbox, as its user changes it."""

from typing import Annotated

from pydantic import Field

from tocsin.application.notifications import Notifications
from tocsin.domain.notification import MAX_CATEGORY
from tocsin.domain.timestamp import iso_or_none
from tocsin.engine import Socket
from tocsin.realtime.client_events import NO_NUL, Arguments, ClientEvents, ObjectId, Result, identity_of

NAMESPACE = "/notifications"
MAX_SEEN_IDS = 200


class OneNotification(Arguments):
    """Which notification is meant."""

    notification_id: ObjectId


class MarkAllRead(Arguments):
    """All of the inbox, or of one category."""

    category: Annotated[str, Field(max_length=MAX_CATEGORY, pattern=NO_NUL)] | None = None


class MarkSeen(Arguments):
    """The given notifications, or all."""

    notification_ids: Annotated[list[ObjectId], Field(max_length=MAX_SEEN_IDS)] | None = None


def register(events: ClientEvents, notifications: Notifications) -> None:
    """Let ``/notifications`` take its client events; each acts on the own inbox only."""

    async def mark_read(socket: Socket, given: OneNotification) -> Result:
        read = await notifications.mark_read(identity_of(socket).user_id, given.notification_id)
        return {"id": read.id, "read_at": iso_or_none(read.read_at)}

    async def mark_all_read(socket: Socket, given: MarkAllRead) -> Result:
        return {"marked": await notifications.mark_all_read(identity_of(socket).user_id, given.category)}

    async def mark_seen(socket: Socket, given: MarkSeen) -> Result:
        return {"marked": await notifications.mark_seen(identity_of(socket).user_id, given.notification_ids)}

    async def delete(socket: Socket, given: OneNotification) -> Result:
        await notifications.delete(identity_of(socket).user_id, given.notification_id)
        return {"id": given.notification_id}

    events.take_async(NAMESPACE, "mark_read", OneNotification, mark_read)
    events.take_async(NAMESPACE, "mark_all_read", MarkAllRead, mark_all_read)
    events.take_async(NAMESPACE, "mark_seen", MarkSeen, mark_seen)
    events.take_async(NAMESPACE, "delete", OneNotification, delete)
