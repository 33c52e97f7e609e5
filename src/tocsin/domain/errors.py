"""
Every refusal the product can give, each with a stable ``code``.

    TocsinError
     ├── Invalid (422)             ├── Unauthenticated (401)
     │    └── KeyReused (422)      │    └── KeyUnknown (401)
     │                             ├── Forbidden (403)
     ├── NotFound (404)            ├── RateLimited (429)
     ├── Conflict (409)            ├── Overloaded (503)
     ├── PayloadTooBig (413)       └── StorageFull (507)
     └── NotInitialized (500)

An edge turns one into a problem object (RFC 9457): the body of a REST answer
and the error ack of a socket event are the same JSON.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar


class TocsinError(Exception):
    """
    A refusal with a stable code.

    Attributes:
        code: Machine-readable name; never changes between releases.
        status: The HTTP status of the problem object.
        retryable: True when the same request can succeed later, unchanged.
        retry_after_s: Seconds to wait before that, where it is known.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s

    def problem(self) -> dict[str, Any]:
        """Return the problem object: type, title, status, code, detail, retryable."""
        problem: dict[str, Any] = {
            "type": f"urn:tocsin:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "retryable": self.retryable,
        }
        if self.retry_after_s is not None:
            problem["retry_after_s"] = self.retry_after_s
        return problem


class Invalid(TocsinError):
    """The request is well-formed but breaks a rule; the detail names the field."""

    code = "invalid"
    title = "Invalid request"
    status = 422


class KeyReused(Invalid):
    """The idempotency key or client_msg_id was used before with other content."""

    code = "key_reused"
    title = "Key used with other content"


class Unauthenticated(TocsinError):
    """The token is missing, malformed, expired or revoked."""

    code = "unauthenticated"
    title = "Authentication required"
    status = 401


class KeyUnknown(Unauthenticated):
    """
    The token is signed by a key that its issuer may have made since it was last asked.

    Args:
        look: Awaited, it asks the issuer, in bounded time; then the same token is accepted or refused for good.
    """

    def __init__(self, detail: str, look: Callable[[], Awaitable[None]]) -> None:
        super().__init__(detail)
        self.look = look


class Forbidden(TocsinError):
    """The token is valid and lacks the scope for this."""

    code = "forbidden"
    title = "Not allowed"
    status = 403


class NotFound(TocsinError):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"
    title = "Not found"
    status = 404


class Conflict(TocsinError):
    """The state of the thing does not allow this now."""

    code = "conflict"
    title = "Conflict"
    status = 409


class AlreadyClaimed(Conflict):
    """
    Somebody else was first.

    Args:
        claim: Who, and when: ``{claimed_by, claimed_at}``, part of the problem object.
    """

    code = "already_claimed"
    title = "Already claimed"

    def __init__(self, claim: dict[str, Any]) -> None:
        super().__init__(f"user {claim['claimed_by']} has claimed it")
        self._claim = claim

    def problem(self) -> dict[str, Any]:
        """Return the problem object, with who was first."""
        return {**super().problem(), **self._claim}


class PayloadTooBig(TocsinError):
    """The encoded payload exceeds the limit."""

    code = "payload_too_big"
    title = "Payload too big"
    status = 413


class RateLimited(TocsinError):
    """Too many requests or events from this user, connection or address."""

    code = "rate_limited"
    title = "Too many requests"
    status = 429
    retryable = True


class NotInitialized(TocsinError):
    """This process was not told where to publish, or the service has not started."""

    code = "not_initialized"
    title = "Not initialized"


class Overloaded(TocsinError):
    """The server takes no more work now. Nothing was done, or, where its database went away, nobody knows."""

    code = "overloaded"
    title = "Overloaded"
    status = 503
    retryable = True


class StorageFull(TocsinError):
    """The disk is full; nothing was accepted, reads go on."""

    code = "storage_full"
    title = "Storage full"
    status = 507
    retryable = True
