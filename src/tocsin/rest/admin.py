"""The dashboard's routes: figures, sessions, users, the search of the trace. All need the scope ``admin``."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from tocsin.application.admin import Admin
from tocsin.domain.errors import Invalid
from tocsin.domain.timestamp import from_datetime
from tocsin.rest.admin_models import (
    FoundListView,
    NotificationsQuery,
    OfUser,
    OverviewView,
    SessionPageView,
    SessionsQuery,
    TestNotification,
    UserView,
)
from tocsin.rest.answers import api_router, json_response, no_content, problems
from tocsin.rest.callers import Operator, uses
from tocsin.rest.endpoint import Incoming
from tocsin.rest.inbox_models import NotificationView
from tocsin.rest.uses import Uses

router = api_router("admin")


def admin(request: Incoming) -> Admin:
    """Return the use-cases of the dashboard."""
    return uses(request).insight.admin


Dashboard = Annotated[Admin, Depends(admin)]


@router.get("/api/admin/overview", response_model=OverviewView, responses=problems())
async def get_overview(dashboard: Dashboard, _: Operator) -> Response:
    """
    Return the figures of every node and worker, counted since its start.

    One that does not answer within a second is left out. Rates and percentiles are the reader's to compute, from two
    answers.
    """
    return json_response(await dashboard.overview())


@router.get("/api/admin/sessions", response_model=SessionPageView, responses=problems())
async def list_sessions(dashboard: Dashboard, _: Operator, query: Annotated[SessionsQuery, Query()]) -> Response:
    """List the connections of all nodes, by user id."""
    page = await dashboard.sessions(query.find, _after(query.cursor), query.limit)
    return json_response({"sessions": page.sessions, "next_cursor": _cursor(page.next_after)})


@router.delete("/api/admin/sessions/{session_id}", status_code=204, response_model=None, responses=problems(404))
async def cut_session(
    dashboard: Dashboard, _: Operator, session_id: str, query: Annotated[OfUser, Query()]
) -> Response:
    """
    Close one connection, on whichever node it is.

    Its client comes back by itself and resumes. To keep somebody out revoke the token.
    """
    await dashboard.cut(query.user_id, session_id)
    return no_content()


@router.get("/api/admin/user", response_model=UserView, responses=problems())
async def get_user(dashboard: Dashboard, _: Operator, query: Annotated[OfUser, Query()]) -> Response:
    """Tell of one user: presence, sessions, devices, inbox, streams and their last events, without any content."""
    return json_response(await dashboard.user(query.user_id))


@router.get("/api/admin/notifications", response_model=FoundListView, responses=problems())
async def find_notifications(
    app: Annotated[Uses, Depends(uses)], _: Operator, query: Annotated[NotificationsQuery, Query()]
) -> Response:
    """Find a user's notification by time and title, to trace it; also one that is gone and still in the log."""
    found = await app.insight.journeys.search(
        query.user_id, since=_instant(query.since), until=_instant(query.until), text=query.text, limit=query.limit
    )
    return json_response({"notifications": [one.json() for one in found]})


@router.post("/api/admin/test", status_code=201, response_model=NotificationView, responses=problems(415))
async def send_test(
    app: Annotated[Uses, Depends(uses)], dashboard: Dashboard, operator: Operator, body: TestNotification
) -> Response:
    """Send a user a notification of the type `test`, as any other one goes; the trace names who sent it."""
    made = await dashboard.send_test(body.user_id, body.title, body.message)
    app.insight.witness.created(made.id, operator)
    return json_response(made.json(), 201)


def _instant(text: str | None) -> int | None:
    return None if text is None else from_datetime(datetime.fromisoformat(text))


def _cursor(after: tuple[str, str] | None) -> str | None:
    return None if after is None else urlsafe_b64encode("\n".join(after).encode()).decode()


def _after(cursor: str | None) -> tuple[str, str]:
    if cursor is None:
        return "", ""
    try:
        user_id, newline, session_id = urlsafe_b64decode(cursor.encode("ascii")).decode().partition("\n")
    except ValueError:
        newline = ""
    if not newline or _cursor((user_id, session_id)) != cursor:
        raise Invalid("cursor: must be the next_cursor of a page")
    return user_id, session_id
