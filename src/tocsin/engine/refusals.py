"""
The refusals of client events that the engine makes itself: problem objects (RFC 9457).

What an application refuses, it raises as ``EventRefused``.
"""

from typing import Any, Final


def _problem(code: str, title: str, status: int, detail: str, *, retryable: bool = False) -> dict[str, Any]:
    return {
        "ok": False,
        "type": f"urn:tocsin:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "retryable": retryable,
    }


INTERNAL: Final = _problem("internal_error", "Internal error", 500, "the server failed on this event")
RATE_LIMITED: Final = {
    **_problem("rate_limited", "Too many requests", 429, "too many events on this connection", retryable=True),
    "retry_after_s": 1.0,
}
UNKNOWN_EVENT: Final = _problem("unknown_event", "Unknown event", 404, "this namespace takes no such event")
INVALID: Final = _problem("invalid", "Invalid request", 422, "wrong number of arguments")
NO_BINARY: Final = _problem("binary_not_accepted", "Binary not accepted", 415, "this event takes no binary")
