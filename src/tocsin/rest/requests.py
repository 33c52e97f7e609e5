"""
What is known of each HTTP request beside its answer: its id, its counters, its line in the access log.

Nothing here looks at a query, a body, a token or the id in a path: a request is told by the
template of its route, so that neither the log nor a label holds what is a user's.
"""

import logging
import random
import re
from collections import Counter
from contextvars import ContextVar
from typing import Final

from starlette.types import Scope

from tocsin.application.meters import Histogram

REQUEST_ID: ContextVar[str] = ContextVar("tocsin_request_id", default="")
"""The id of the request that is being answered, for log lines; empty elsewhere."""

ROUTE: Final = "tocsin.route"
"""Where a scope keeps the template of the route that was found."""

BEGAN_AT: Final = "tocsin.began_at"
"""Where a scope keeps when an answer began that goes on: for ``time.perf_counter``, the end of the wait for it."""

ACCESS = logging.getLogger("tocsin.access")
# Writing a line costs every request some time: who wants it says so (``access_log``).
ACCESS.setLevel(logging.WARNING)

_GIVEN = re.compile(rb"[A-Za-z0-9._~:-]{1,128}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "other"


class Requests:
    """
    Counts requests. Belongs to the event loop's thread.

    Attributes:
        answered: By method, route and status; what no route or an unknown method is of counts as ``other``.
        seconds: By route, from the head of the request to the last byte handed over, or to the first of what goes on.
        refusals: By the code of the problem that was answered.
    """

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, str, int]] = Counter()
        self.seconds: dict[str, Histogram] = {}
        self.refusals: Counter[str] = Counter()

    def end(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that has been answered, and log it if that is wanted; status 0: the client left first."""
        route = scope.get(ROUTE, _OTHER)
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        self.answered[method, route, status] += 1
        histogram = self.seconds.get(route)
        if histogram is None:
            histogram = self.seconds[route] = Histogram()
        histogram.observe(seconds)
        if ACCESS.isEnabledFor(logging.INFO):
            ms = round(seconds * 1_000, 2)
            fields = {"method": method, "route": route, "status": status, "duration_ms": ms}
            ACCESS.info("%s %s %d", method, route, status, extra=fields)


def request_id(scope: Scope) -> str:
    """Return the id that the caller gave in ``X-Request-ID``, if it looks like one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _GIVEN.fullmatch(value):
                return str(value, "ascii")
            break
    # No secret: a system call for each would be a fifth of a POST.
    return f"{random.getrandbits(64):016x}"
