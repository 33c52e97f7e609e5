"""The trace of a notification over HTTP: why somebody did, or didn't, get it."""

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel
from starlette.responses import Response

from tocsin.rest.answers import api_router, json_response, problems
from tocsin.rest.callers import Tracer, uses
from tocsin.rest.uses import Uses

router = api_router("notifications")


class StepView(BaseModel):
    """One step: what was tried, or why nothing was."""

    at: str
    channel: str
    target: str | None
    label: str | None
    outcome: str
    reason: str
    provider_id: str | None


class NextView(BaseModel):
    """What comes next, unless somebody sees it before."""

    rung: int
    tries: int
    at: str


class TraceView(BaseModel):
    """A notification's way."""

    notification_id: str
    user_id: int | str
    in_inbox: bool
    created_at: str | None
    acked: bool | None
    seen_at: str | None
    read_at: str | None
    expires_at: str | None
    next: NextView | None
    steps: list[StepView]


@router.get("/api/notifications/{notification_id}/trace", response_model=TraceView, responses=problems(404))
async def trace_notification(app: Annotated[Uses, Depends(uses)], _: Tracer, notification_id: str) -> Response:
    """
    Tell every step of one notification over every device and channel, and why one was skipped.

    Needs the scope `publish` or `admin`. Steps are kept for seven days, also of what was deleted.
    """
    return json_response((await app.deliveries.trace(notification_id)).json())
