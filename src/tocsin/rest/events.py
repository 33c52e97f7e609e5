"""Events of a back end over HTTP: ``POST /api/events``."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from tocsin.rest.answers import JOB, ONCE, api_router, finished_job, json_response, problems
from tocsin.rest.callers import OnceKey, Publisher, uses
from tocsin.rest.models import EventView, NewEvent
from tocsin.rest.uses import Uses

router = api_router("events")


@router.post(
    "/api/events",
    status_code=201,
    response_model=EventView,
    responses=JOB | problems(415),
    openapi_extra=ONCE,
)
async def publish_event(app: Annotated[Uses, Depends(uses)], _: Publisher, body: NewEvent, once: OnceKey) -> Response:
    """
    Publish an event to one user (201 with the event) or many (202); needs the scope `publish`.

    An ephemeral event is kept in no stream and is answered 202.
    """
    recipients = body.recipients
    events = await app.activity.publish(
        body.namespace, body.event, recipients, body.data, durable=body.durable, once=once
    )
    if len(events) == 1 and body.user_id is not None:
        return json_response(events[0].record(app.store.epoch), 201)
    return finished_job(len(recipients))
