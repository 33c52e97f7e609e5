"""The durable log over HTTP, at once or as it grows: ``GET /api/stream/{namespace}``, for readers without a socket."""

from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.responses import Response

from tocsin.domain.errors import NotFound
from tocsin.domain.events import NAMESPACES
from tocsin.domain.stream import StreamKey
from tocsin.rest.answers import Responses, api_router, json_response, problems
from tocsin.rest.callers import Caller, uses
from tocsin.rest.event_stream import MEDIA, EventStream, Follows
from tocsin.rest.models import StreamQuery, StreamView
from tocsin.rest.uses import Uses

router = api_router("streams")

_EVENTS: Responses = {200: {"content": {MEDIA: {"schema": {"type": "string"}}}}}
_LAST = {
    "parameters": [
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "description": "Of server-sent events: the `id` of the last one that was seen.",
            "schema": {"type": "string", "pattern": "^[!-9;-~]{1,64}:[0-9]{1,15}$"},
        }
    ]
}


@router.get(
    "/api/stream/{namespace}", response_model=StreamView, responses={**problems(404), **_EVENTS}, openapi_extra=_LAST
)
async def read_stream(
    app: Annotated[Uses, Depends(uses)],
    caller: Caller,
    namespace: Annotated[str, Path(json_schema_extra={"enum": [name[1:] for name in NAMESPACES]})],
    query: Annotated[StreamQuery, Query()],
    following: Follows,
) -> Response:
    """
    Read the caller's own stream of a namespace (`sns`, `orders`, `chat` or `notifications`).

    It ends before `limit` where events are big: go on from the last one until that is `seq`. A reader whose `after`
    is below `pruned` has missed events that are no longer kept.

    With `Accept: text/event-stream` the answer goes on as server-sent events: all after `after`, or after the
    `Last-Event-ID` that a client sends when it comes again, then each event once it is committed. `data` is the
    event as the list has it; `resync` tells that events are missing: `{reason, epoch, seq}`.
    """
    name = f"/{namespace}"
    if name not in NAMESPACES:
        raise NotFound("there is no such namespace")
    key = StreamKey(caller.user_id, name)
    if following is not None:
        app.tails.check(caller.user_id)
        return EventStream(app, key, caller, following, query.after)
    found = await app.streams.read(key, query.after, query.limit)
    epoch = app.store.epoch
    return json_response(
        {
            "events": [event.record(epoch) for event in found.events],
            "epoch": epoch,
            "seq": found.head.seq,
            "pruned": found.head.pruned,
        }
    )
