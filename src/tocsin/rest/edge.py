"""
What every request passes on its way in and every answer on its way out.

One plain ASGI callable around the router, in place of a stack of middleware:
the rule of origins, CORS for the allow-list, headers that browsers obey, and
the last answer when something failed. Tokens are not looked at here.
"""

import logging
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.application.tracing import Tracing
from tocsin.domain.errors import TocsinError
from tocsin.engine.origins import AllowOrigin, same_origin
from tocsin.engine.proxies import TrustedProxies
from tocsin.rest.problems import (
    ForeignOrigin,
    InternalError,
    MethodNotAllowed,
    from_http_exception,
    problem_response,
)
from tocsin.rest.requests import BEGAN_AT, REQUEST_ID, ROUTE, Requests, request_id

_log = logging.getLogger(__name__)

# What default-src does not cover: forms, the base of links, who may frame it.
_NOTHING = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": (
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Traceparent, X-Request-ID"
    ),
    "access-control-max-age": "600",
}
_EXPOSED = "RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-ID"


class Edge:
    """
    Guards an ASGI application over HTTP; WebSocket and lifespan pass unchanged.

    A request whose ``Origin`` is foreign is answered 403 without a CORS header
    before anything of it is read.

    Args:
        app: What is guarded.
        allow_origin: The allow-list, shared with polling and WebSocket.
        proxies: Whose ``X-Forwarded-Proto`` and ``-Host`` are believed.
        allowed_methods: The methods that a path has, for the answer to a wrong one.
        requests: Counts what was answered.
        tracing: Follows what is asked; None: nothing is followed.
    """

    def __init__(
        self,
        app: ASGIApp,
        allow_origin: AllowOrigin,
        proxies: TrustedProxies,
        allowed_methods: Callable[[Scope], list[str]],
        *,
        requests: Requests,
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self._allow_origin = allow_origin
        self._proxies = proxies
        self._allowed_methods = allowed_methods
        self._requests = requests
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_at = time.perf_counter()
        id_ = request_id(scope)
        REQUEST_ID.set(id_)
        guard = _Guard(send, id_)
        try:
            if self._tracing is None:
                await self._answer(scope, receive, guard)
            else:
                with self._tracing.request(scope["method"], scope["headers"]) as ended:
                    await self._answer(scope, receive, guard)
                    ended(scope.get(ROUTE, "other"), guard.status)
        finally:
            ended_at = scope.get(BEGAN_AT) or time.perf_counter()
            self._requests.end(scope, guard.status, ended_at - begun_at)

    async def _answer(self, scope: Scope, receive: Receive, send: "_Guard") -> None:
        try:
            for name, _ in scope["headers"]:
                if name == b"origin":
                    send.cross_origin = self._check_origin(scope)
                    break
            await self._pass(scope, receive, send)
        except ForeignOrigin as refusal:
            await self._refuse(refusal, scope, receive, send)

    async def _refuse(self, refusal: TocsinError, scope: Scope, receive: Receive, send: "_Guard") -> None:
        self._requests.refusals[refusal.code] += 1
        response = problem_response(refusal)
        if isinstance(refusal, MethodNotAllowed):
            response.headers["allow"] = ", ".join(self._allowed_methods(scope))
        await response(scope, receive, send)

    def _check_origin(self, scope: Scope) -> str | None:
        """Return the origin that is foreign and allowed, None for our own; raise ForeignOrigin."""
        headers = Headers(scope=scope)
        scheme, host = scope["scheme"], headers.get("host", "")
        peer = scope["client"][0] if scope["client"] else ""
        if self._proxies.trusts(peer):
            scheme = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
            host = headers.get("x-forwarded-host", host).partition(",")[0].strip()
        # Several headers joined match nothing: which one counts would be anybody's guess.
        origin = ", ".join(headers.getlist("origin"))
        if not self._allow_origin(origin, scheme, host):
            raise ForeignOrigin("this origin is not on the allow-list (TOCSIN_CORS_ORIGINS)")
        return None if same_origin(origin, scheme, host) else origin

    async def _pass(self, scope: Scope, receive: Receive, send: "_Guard") -> None:
        if scope["method"] == "OPTIONS" and send.cross_origin is not None:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
            return
        if "\0" in scope["path"]:
            # No id has one, and PostgreSQL can't be asked for it: a transaction with others would fail.
            await self._refuse(from_http_exception(HTTPException(404)), scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except HTTPException as error:
            await self._refuse(from_http_exception(error), scope, receive, send)
        except Exception:
            # No path, which may hold what is a user's: the id leads from here to the access log.
            _log.exception("request failed: %s %s", scope["method"], scope.get(ROUTE, "other"))
            if send.status:
                raise
            await self._refuse(InternalError("the server failed on this request"), scope, receive, send)


class _Guard:
    """The way out: adds the headers that each answer has."""

    __slots__ = ("_id", "_send", "cross_origin", "status")

    def __init__(self, send: Send, id_: str) -> None:
        self._send = send
        self._id = id_.encode()
        self.cross_origin: str | None = None
        # 0 until it has started.
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            headers.append((b"x-request-id", self._id))
            headers.append((b"x-content-type-options", b"nosniff"))
            headers.append((b"referrer-policy", b"no-referrer"))
            if all(name != b"content-security-policy" for name, _ in headers):
                headers.append((b"content-security-policy", _NOTHING))
            if self.cross_origin is not None:
                changed = MutableHeaders(raw=headers)
                changed["access-control-allow-origin"] = self.cross_origin
                changed["access-control-expose-headers"] = _EXPOSED
                changed.add_vary_header("origin")
        await self._send(message)
