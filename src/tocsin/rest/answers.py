"""Answers: JSON as the domain writes it, and how the OpenAPI document names them."""

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from tocsin.rest.endpoint import Endpoint
from tocsin.rest.models import JobView, ProblemView
from tocsin.rest.problems import PROBLEM

_NO_STORE = {"cache-control": "no-store"}
_PROBLEMS = {
    400: "The request can't be read.",
    401: "The token is missing, malformed, expired or revoked.",
    403: "The token lacks the scope, or the page's origin is foreign.",
    404: "There is no such thing, or it is somebody else's.",
    408: "The body did not arrive in time.",
    409: "The state of the thing does not allow this now.",
    413: "The body is too big.",
    415: "The body is not application/json.",
    422: "A field breaks a rule, or the idempotency key was used with other content.",
    429: "Too many of these; see `Retry-After`.",
    503: "Overloaded, draining, or without its database: come again, with the same key. See `Retry-After`.",
    507: "The disk is full; nothing was accepted.",
}
_EVERYWHERE = (400, 401, 403, 408, 413, 422, 429, 503, 507)

Responses = dict[int | str, dict[str, Any]]

JOB: Responses = {
    202: {
        "model": JobView,
        "description": "Committed for many users; for a topic, accepted.",
    }
}

ONCE = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Makes the write happen once: for 24 hours a repeat gets the first answer again.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~][ -~]*$"},
        }
    ]
}


def json_response(content: Any, status: int = 200) -> Response:
    """Return an answer that no cache keeps."""
    return Response(orjson.dumps(content), status, _NO_STORE, "application/json")


def finished_job(count: int) -> Response:
    """Return the answer to a write to many that is done: no job is kept of it, so that it has no id to ask for."""
    return json_response({"job": {"id": None, "state": "done", "total": count, "done": count}}, 202)


def no_content() -> Response:
    """Return the answer to a delete."""
    return Response(status_code=204, headers=_NO_STORE)


def problems(*statuses: int) -> Responses:
    """Document the refusals of a route that asks for a token."""
    schema = {"$ref": f"#/components/schemas/{ProblemView.__name__}"}
    return {
        status: {"description": _PROBLEMS[status], "content": {PROBLEM: {"schema": schema}}}
        for status in sorted({*_EVERYWHERE, *statuses})
    }


def api_router(tag: str) -> APIRouter:
    """Return a router whose routes are run by Endpoint."""
    return APIRouter(tags=[tag], route_class=Endpoint, generate_unique_id_function=lambda route: route.name)
