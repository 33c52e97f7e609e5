"""The inbox over HTTP: the seven routes under ``/api/notifications``."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from tocsin.domain.errors import Forbidden, Invalid
from tocsin.rest.answers import ONCE, Responses, api_router, finished_job, json_response, no_content, problems
from tocsin.rest.callers import Caller, OnceKey, Publisher, uses
from tocsin.rest.inbox_models import (
    ArchiveAll,
    ArchivedView,
    InboxQuery,
    InboxView,
    MarkedView,
    NewNotification,
    NotificationChange,
    NotificationView,
    ReadAll,
    ScheduledList,
    ScheduledPage,
    ScheduledQuery,
    StatsView,
)
from tocsin.rest.models import JobView
from tocsin.rest.uses import Uses

router = api_router("notifications")

App = Annotated[Uses, Depends(uses)]

_CREATED: Responses = {
    201: {
        "links": {
            name: {"operationId": name, "parameters": {"notification_id": "$response.body#/id"}}
            for name in ("get_notification", "mark_read", "delete_notification")
        }
    }
}

_LATER: Responses = {202: {"model": JobView | ScheduledList, "description": "Accepted"}}


@router.post(
    "/api/notifications",
    status_code=201,
    response_model=NotificationView,
    responses=_CREATED | _LATER | problems(415),
    openapi_extra=ONCE,
)
async def create_notification(app: App, publisher: Publisher, body: NewNotification, once: OnceKey) -> Response:
    """
    Create a notification for one user (201), for many or a topic, or for later (202); needs the scope `publish`.

    The answer comes after the notification and its event are committed together. Of a topic, or of more than
    1,000 users, the job is committed, and they get theirs one after another: see `/api/jobs/{id}`.
    """
    if body.template is not None:
        await app.templates.require(body.template, once)
    drafts = body.drafts()
    deliver_at = body.deliver_at_ms
    if deliver_at is not None:  # also one that has passed: a retry gets the answer of the first time
        kept = await app.notifications.schedule(drafts, deliver_at, body.topic, once)
        return json_response({"scheduled": [one.json() for one in kept]}, 202)
    if body.topic is not None:
        return json_response({"job": (await app.fan_out.publish(body.topic, drafts[0], once)).json()}, 202)
    if body.is_bulk:
        return json_response({"job": (await app.fan_out.publish_to(body.recipients, drafts[0], once)).json()}, 202)
    if body.user_id is not None:
        notification = await app.notifications.create(drafts[0], once)
        app.insight.witness.created(notification.id, publisher)
        return json_response(notification.json(), 201)
    return finished_job(len(await app.notifications.create_many(drafts, once)))


@router.get("/api/notifications", response_model=InboxView, responses=problems())
async def list_notifications(app: App, caller: Caller, query: Annotated[InboxQuery, Query()]) -> Response:
    """List the caller's own inbox, newest first; expired ones never appear."""
    wanted = query.filter()
    before = None if query.cursor is None else _seq_of(query.cursor)
    page = await app.notifications.list(caller.user_id, wanted, before=before, limit=query.limit)
    return json_response(
        {
            "notifications": [notification.json() for notification in page.notifications],
            "next_cursor": None if page.next_before is None else _cursor(page.next_before),
            "unread_count": page.unread_count,
            "epoch": app.store.epoch,
            "seq": page.seq,
        }
    )


@router.get("/api/notifications/stats", response_model=StatsView, responses=problems())
async def get_stats(app: App, caller: Caller) -> Response:
    """Count the caller's own inbox."""
    stats = await app.notifications.stats(caller.user_id)
    return json_response(
        {"unread": stats.unread, "unseen": stats.unseen, "total": stats.total, "by_category": stats.by_category}
    )


@router.post(
    "/api/notifications/read-all",
    response_model=MarkedView,
    responses=problems(415),
    openapi_extra=ONCE,
)
async def mark_all_read(app: App, caller: Caller, once: OnceKey, body: ReadAll | None = None) -> Response:
    """Mark every unread notification of the caller, or of one category, as read."""
    category = None if body is None else body.category
    return json_response({"marked": await app.notifications.mark_all_read(caller.user_id, category, once)})


@router.post(
    "/api/notifications/archive-all",
    response_model=ArchivedView,
    responses=problems(415),
    openapi_extra=ONCE,
)
async def archive_all(app: App, caller: Caller, once: OnceKey, body: ArchiveAll | None = None) -> Response:
    """Archive the caller's inbox, a category of it, or what is read of it."""
    wanted = ArchiveAll() if body is None else body
    archived = await app.notifications.archive_all(
        caller.user_id, wanted.category, read_only=wanted.read_only, once=once
    )
    return json_response({"archived": archived})


@router.get("/api/notifications/scheduled", response_model=ScheduledPage, responses=problems())
async def list_scheduled(app: App, _: Publisher, query: Annotated[ScheduledQuery, Query()]) -> Response:
    """List what waits for its time; needs the scope `publish`. To delete one takes it back."""
    found = await app.notifications.list_scheduled(query.cursor, query.limit + 1)
    shown = found[: query.limit]
    return json_response(
        {
            "scheduled": [one.json() for one in shown],
            "next_cursor": shown[-1].id if len(found) > query.limit else None,
        }
    )


@router.get("/api/notifications/{notification_id}", response_model=NotificationView, responses=problems(404))
async def get_notification(app: App, caller: Caller, notification_id: str) -> Response:
    """Return one notification of the caller's own."""
    return json_response((await app.notifications.get(caller.user_id, notification_id)).json())


@router.put(
    "/api/notifications/{notification_id}/read",
    response_model=NotificationView,
    responses=problems(404),
    openapi_extra=ONCE,
)
async def mark_read(app: App, caller: Caller, notification_id: str, once: OnceKey) -> Response:
    """Mark one as read; marking it again changes nothing."""
    return json_response((await app.notifications.mark_read(caller.user_id, notification_id, once)).json())


@router.patch(
    "/api/notifications/{notification_id}",
    response_model=NotificationView,
    responses=problems(403, 404, 415),
    openapi_extra=ONCE,
)
async def change_notification(
    app: App, caller: Caller, notification_id: str, body: NotificationChange, once: OnceKey
) -> Response:
    """
    Mark one's own as seen, read or unread, archive or snooze it; with `publish`, change the content of anybody's.

    What is snoozed comes back by itself, on every device, unread and with a sound. A change of content makes none.
    """
    if body.is_content:
        if "publish" not in caller.scopes:
            raise Forbidden("to change the content needs the scope publish")
        return json_response((await app.notifications.edit(notification_id, body.content(), once)).json())
    changed = await app.notifications.change(caller.user_id, notification_id, body.marks(), once)
    return json_response(changed.json())


@router.post(
    "/api/notifications/{notification_id}/claim",
    response_model=NotificationView,
    responses=problems(404, 409),
)
async def claim_notification(app: App, caller: Caller, notification_id: str) -> Response:
    """Take what was sent to many; the first wins, and 409 names who that was. All of them are told."""
    return json_response((await app.notifications.claim(caller.user_id, notification_id)).json())


@router.delete(
    "/api/notifications/{notification_id}",
    status_code=204,
    response_model=None,
    responses=problems(404),
    openapi_extra=ONCE,
)
async def delete_notification(app: App, caller: Caller, notification_id: str, once: OnceKey) -> Response:
    """Delete one of the caller's own; with the scope `publish`, retract anybody's."""
    owner = None if "publish" in caller.scopes else caller.user_id
    await app.notifications.delete(owner, notification_id, once)
    return no_content()


def _cursor(before: int) -> str:
    return urlsafe_b64encode(before.to_bytes(8)).decode().rstrip("=")


def _seq_of(cursor: str) -> int:
    try:
        data = urlsafe_b64decode(cursor.encode("ascii") + b"=")
    except ValueError:
        data = b""
    if len(data) != 8 or _cursor(seq := int.from_bytes(data)) != cursor or not 0 < seq < 2**63:
        raise Invalid("cursor: must be the next_cursor of a page")
    return seq
