"""
Refusals as HTTP answers: ``application/problem+json`` (RFC 9457).

The refusals of the domain come with their problem object; here are the few that
only HTTP knows, and the headers that go with a status.
"""

import math
from typing import ClassVar

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tocsin.domain.errors import Forbidden, NotFound, TocsinError, Unauthenticated
from tocsin.rest.limits import Exceeded

PROBLEM = "application/problem+json"


class Malformed(TocsinError):
    """The request can't be read: no JSON, no UTF-8, an impossible number."""

    code = "malformed"
    title = "Malformed request"
    status = 400


class ForeignOrigin(Forbidden):
    """A page of a foreign origin made this request (its ``Origin`` is not on the allow-list)."""

    code = "foreign_origin"
    title = "Foreign origin"


class MethodNotAllowed(TocsinError):
    """The resource is there and has no such method."""

    code = "method_not_allowed"
    title = "Method not allowed"
    status = 405


class RequestTimeout(TocsinError):
    """The body did not arrive in time."""

    code = "request_timeout"
    title = "Request timeout"
    status = 408
    retryable = True


class UnsupportedMediaType(TocsinError):
    """The body is not ``application/json``, or it is compressed."""

    code = "unsupported_media_type"
    title = "Unsupported media type"
    status = 415


class NotReady(TocsinError):
    """The node takes no new work: it is draining, or its database can't commit."""

    code = "not_ready"
    title = "Not ready"
    status = 503
    retryable = True


class InternalError(TocsinError):
    """A fault of the server; its log says which."""

    code: ClassVar[str] = "internal_error"
    title = "Internal error"


def problem_response(error: TocsinError) -> Response:
    """Return the refusal as an answer, with ``WWW-Authenticate`` or ``Retry-After`` where they belong."""
    headers = {"cache-control": "no-store"}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, Exceeded):
        headers |= {name.decode(): value.decode() for name, value in error.headers}
    if isinstance(error, RequestTimeout):
        # What is left of the body must not be read as the next request, nor waited for.
        headers["connection"] = "close"
    if isinstance(error, Unauthenticated):
        # RFC 6750, 3: no error code when the request lacked any authentication.
        given = "" if isinstance(error, TokenMissing) else ', error="invalid_token"'
        headers["www-authenticate"] = f'Bearer realm="tocsin"{given}'
    return Response(orjson.dumps(error.problem()), error.status, headers, PROBLEM)


class TokenMissing(Unauthenticated):
    """The request has no ``Authorization: Bearer`` header."""


def from_http_exception(error: HTTPException) -> TocsinError:
    """Return the framework's own refusal (an unknown path, a wrong method) as one of ours."""
    if error.status_code == 404:
        return NotFound("there is nothing at this path")
    if error.status_code == 405:
        return MethodNotAllowed("this path has no such method")
    if error.status_code < 500:
        return Malformed(str(error.detail))
    return InternalError("the server failed on this request")
