"""The trace of a notification over HTTP: why somebody did, or didn't, get it."""

from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import BaseModel
from starlette.responses import Response

from tocsin.domain.user_id import UserId
from tocsin.rest.answers import api_router, json_response, problems
from tocsin.rest.callers import Tracer, uses
from tocsin.rest.models import AnyUserId, Strict
from tocsin.rest.uses import Uses

router = api_router("notifications")


class TraceQuery(Strict):
    """Whose it is, where that is known: of one that is gone, the user's log tells."""

    user_id: AnyUserId | None = None


class AttemptView(BaseModel):
    """One attempt of the push ladder, as it was recorded."""

    at: str
    channel: str
    target: str | None
    label: str | None
    outcome: str
    reason: str
    provider_id: str | None


class StepView(BaseModel):
    """One line of the timeline: what happened, or why nothing did, in `text`; `kind` is for programs."""

    at: str | None
    channel: str
    kind: str
    text: str
    target: str | None
    label: str | None
    node: str | None
    is_bad: bool


class NextView(BaseModel):
    """What comes next, unless somebody sees it before."""

    rung: int
    tries: int
    at: str


class TraceView(BaseModel):
    """A notification's way; nothing of its message and data."""

    notification_id: str
    user_id: int | str
    in_inbox: bool
    state: Literal["scheduled", "listed", "archived", "snoozed", "expired", "gone"]
    verdict: str
    type: str | None
    title: str | None
    category: str | None
    priority: str | None
    seq: int | None
    epoch: str
    created_at: str | None
    acked: bool | None
    seen_at: str | None
    read_at: str | None
    expires_at: str | None
    next: NextView | None
    steps: list[AttemptView]
    timeline: list[StepView]
    unknown: list[str]


@router.get("/api/notifications/{notification_id}/trace", response_model=TraceView, responses=problems(404))
async def trace_notification(
    app: Annotated[Uses, Depends(uses)], _: Tracer, notification_id: str, query: Annotated[TraceQuery, Query()]
) -> Response:
    """
    Tell every step of one notification over every device and channel, and why one was skipped.

    Needs the scope `publish` or `admin`. Every node is asked which sessions it has seen. Steps are kept for seven
    days, also of what was deleted. What nobody can tell any more stands in `unknown`.
    """
    owner: UserId | None = query.user_id
    return json_response((await app.insight.journeys.trace(notification_id, owner)).json())
