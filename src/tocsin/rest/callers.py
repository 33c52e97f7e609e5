"""
Who is calling, and with which idempotency key: what endpoints depend on.

A token is taken from ``Authorization`` alone: never from a query, a cookie or
a body.
"""

import hashlib
import re
from typing import Annotated

from fastapi import Depends

from tocsin.application.once import Once
from tocsin.domain.errors import KeyUnknown, RateLimited, TocsinError
from tocsin.domain.principal import Principal
from tocsin.rest.endpoint import Incoming
from tocsin.rest.problems import Malformed, TokenMissing
from tocsin.rest.uses import Uses

_KEY = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")


def uses(request: Incoming) -> Uses:
    """Return the use-cases that the application was composed with."""
    found: Uses = request.app.state.uses
    return found


def caller(request: Incoming) -> Principal:
    """
    Return the bearer of the request's token; the first look counts the request for its limits.

    Raises:
        Unauthenticated: There is no good token.
        RateLimited: It is one request too many.
    """
    if request.principal is None:
        limits = uses(request).limits
        try:
            principal = _verified(request)
            request.limit_headers = limits.spend(request.scope, principal)
        except (KeyUnknown, RateLimited):
            raise  # counted when the key is known, or counted already
        except TocsinError:
            request.limit_headers = limits.spend(request.scope, None)
            raise
        request.principal = principal
    return request.principal


def _verified(request: Incoming) -> Principal:
    scheme, _, token = (request.header(b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissing("this needs the header 'Authorization: Bearer' and a token")
    return uses(request).tokens.verify(token.strip(" "))


def anybody(request: Incoming) -> None:
    """
    Count the request of whoever needs no token for its address.

    Raises:
        RateLimited: It is one request too many.
    """
    request.limit_headers = uses(request).limits.spend(request.scope, None)


def publisher(request: Incoming) -> Principal:
    """Return the bearer of a token that may act for any user."""
    principal = caller(request)
    principal.require("publish")
    return principal


def tracer(request: Incoming) -> Principal:
    """Return the bearer of a token that may see what became of anybody's notification, and end anybody's sessions."""
    principal = caller(request)
    if "admin" not in principal.scopes:
        principal.require("publish")
    return principal


def operator(request: Incoming) -> Principal:
    """Return the bearer of a token that may see and cut anybody's sessions."""
    principal = caller(request)
    principal.require("admin")
    return principal


def once(request: Incoming) -> Once | None:
    """
    Return what makes this write happen once, if the request has an ``Idempotency-Key``.

    Raises:
        Malformed: The key is not 1 to 255 printable ASCII characters.
    """
    key = request.header(b"idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise Malformed("Idempotency-Key must have 1 to 255 printable ASCII characters")
    principal = caller(request)
    scope = request.scope
    head = f"{scope['method']}\n{scope['path']}\n".encode("utf-8", "surrogatepass")
    return Once(
        owner=f"{' '.join(sorted(principal.scopes))}\n{principal.user_id}",
        key=key,
        fingerprint=hashlib.sha256(head + request.content).digest(),
    )


Anybody = Annotated[None, Depends(anybody)]
Caller = Annotated[Principal, Depends(caller)]
Tracer = Annotated[Principal, Depends(tracer)]
Operator = Annotated[Principal, Depends(operator)]
Publisher = Annotated[Principal, Depends(publisher)]
OnceKey = Annotated[Once | None, Depends(once)]
