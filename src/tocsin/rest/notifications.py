"""The inbox over HTTP: the seven routes under ``/api/notifications``."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from tocsin.domain.errors import Invalid
from tocsin.domain.notification import InboxFilter
from tocsin.rest.answers import JOB, ONCE, Responses, api_router, json_response, no_content, problems
from tocsin.rest.callers import Caller, OnceKey, Publisher, uses
from tocsin.rest.models import (
    InboxQuery,
    InboxView,
    MarkedView,
    NewNotification,
    NotificationView,
    ReadAll,
    StatsView,
)
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


@router.post(
    "/api/notifications",
    status_code=201,
    response_model=NotificationView,
    responses=_CREATED | JOB | problems(415),
    openapi_extra=ONCE,
)
async def create_notification(app: App, _: Publisher, body: NewNotification, once: OnceKey) -> Response:
    """
    Create a notification for one user (201), or for many or a topic (202); needs the scope `publish`.

    The answer comes after the notification and its event are committed together. Of a topic the job is
    committed, and its followers get theirs one after another: see `/api/jobs/{id}`.
    """
    if body.topic is not None:
        return json_response({"job": (await app.fan_out.publish(body.topic, body.drafts()[0], once)).json()}, 202)
    if body.user_id is not None:
        notification = await app.notifications.create(body.drafts()[0], once)
        return json_response(notification.json(), 201)
    created = await app.notifications.create_many(body.drafts(), once)
    job = {"id": created[0].id, "state": "done", "total": len(created), "done": len(created)}
    return json_response({"job": job}, 202)


@router.get("/api/notifications", response_model=InboxView, responses=problems())
async def list_notifications(app: App, caller: Caller, query: Annotated[InboxQuery, Query()]) -> Response:
    """List the caller's own inbox, newest first; expired ones never appear."""
    wanted = InboxFilter(unread=query.unread, category=query.category, type=query.type)
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
