"""Probes for supervisors and load balancers; open to anybody, they tell nothing else."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from tocsin.domain.errors import TocsinError
from tocsin.rest.answers import Responses, api_router, json_response, problems
from tocsin.rest.callers import uses
from tocsin.rest.models import StateView
from tocsin.rest.problems import NotReady
from tocsin.rest.uses import Uses

router = api_router("health")

_REFUSALS: Responses = {status: refusal for status, refusal in problems().items() if status in {403, 503}}


@router.api_route("/healthz", methods=["GET"], response_model=StateView, responses={403: _REFUSALS[403]})
async def healthz() -> Response:
    """Answer as long as the event loop turns."""
    return json_response({"status": "ok"})


@router.api_route("/readyz", methods=["GET"], response_model=StateView, responses=_REFUSALS)
async def readyz(app: Annotated[Uses, Depends(uses)]) -> Response:
    """Answer 200 while the node takes work: it is not draining, not deaf, and its database can commit."""
    if not app.is_accepting():
        raise NotReady("the server is draining", retry_after_s=5)
    try:
        await app.store.ping()
    except TocsinError as error:
        raise NotReady(f"the database can't commit: {error.detail}", retry_after_s=5) from None
    if app.bus.is_deaf:
        # One that is away altogether is so for all nodes, and their sweeps deliver.
        raise NotReady("Redis does not bring what it takes: events of other nodes come late", retry_after_s=5)
    return json_response({"status": "ready"})
