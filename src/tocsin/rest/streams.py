"""The durable log over HTTP: ``GET /api/stream/{namespace}``, for readers without a socket."""

from typing import Annotated

from fastapi import Depends, Path, Query
from starlette.responses import Response

from tocsin.domain.errors import NotFound
from tocsin.domain.events import NAMESPACES
from tocsin.domain.stream import StreamKey
from tocsin.rest.answers import api_router, json_response, problems
from tocsin.rest.callers import Caller, uses
from tocsin.rest.models import StreamQuery, StreamView
from tocsin.rest.uses import Uses

router = api_router("streams")


@router.get("/api/stream/{namespace}", response_model=StreamView, responses=problems(404))
async def read_stream(
    app: Annotated[Uses, Depends(uses)],
    caller: Caller,
    namespace: Annotated[str, Path(json_schema_extra={"enum": [name[1:] for name in NAMESPACES]})],
    query: Annotated[StreamQuery, Query()],
) -> Response:
    """
    Read the caller's own stream of a namespace (`sns`, `orders`, `chat` or `notifications`).

    It ends before `limit` where events are big: go on from the last one until that is `seq`. A reader whose `after`
    is below `pruned` has missed events that are no longer kept.
    """
    name = f"/{namespace}"
    if name not in NAMESPACES:
        raise NotFound("there is no such namespace")
    found = await app.streams.read(StreamKey(caller.user_id, name), query.after, query.limit)
    epoch = app.store.epoch
    return json_response(
        {
            "events": [event.record(epoch) for event in found.events],
            "epoch": epoch,
            "seq": found.head.seq,
            "pruned": found.head.pruned,
        }
    )
