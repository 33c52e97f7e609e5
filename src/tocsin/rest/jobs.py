"""Jobs over HTTP: how far a notification to a topic is."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from tocsin.rest.answers import api_router, json_response, problems
from tocsin.rest.callers import Publisher, uses
from tocsin.rest.models import JobView
from tocsin.rest.uses import Uses

router = api_router("notifications")


@router.get("/api/jobs/{job_id}", response_model=JobView, responses=problems(404))
async def get_job(app: Annotated[Uses, Depends(uses)], _: Publisher, job_id: str) -> Response:
    """Tell how many of a topic's followers have their notification; needs the scope `publish`."""
    return json_response({"job": (await app.fan_out.get(job_id)).json()})
