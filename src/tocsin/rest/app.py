"""The HTTP application: every route, its OpenAPI document, and the edge around them."""

from collections.abc import Callable
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin import __version__
from tocsin.engine import TimerWheel
from tocsin.engine.proxies import TrustedProxies
from tocsin.rest import (
    admin,
    channels,
    chat,
    e2ee,
    events,
    fcm,
    health,
    jobs,
    metrics,
    notifications,
    preferences,
    sessions,
    streams,
    templates,
    trace,
    users,
    web_push,
)
from tocsin.rest.documented import complete
from tocsin.rest.edge import Edge
from tocsin.rest.endpoint import Endpoint
from tocsin.rest.models import ProblemView
from tocsin.rest.requests import ROUTE, Requests
from tocsin.rest.static_files import add_static_files
from tocsin.rest.uses import Uses

_DESCRIPTION = """
Notifications, order and social events that are committed before they are answered,
and reach every device of a user over Socket.IO. Errors are `application/problem+json`
with a stable `code`.
"""
_API = (
    "/api/notifications",
    "/api/events",
    "/api/jobs/",
    "/api/channels",
    "/api/preferences",
    "/api/templates",
    "/api/chat/",
    "/api/e2ee/",
    "/api/sessions/",
    "/api/stream/",
    "/api/fcm/",
    "/api/webpush/",
    "/api/admin/",
    "/api/users/",
    "/js/websocket.js",
    "/js/push.js",
    "/js/chat.js",
    "/js/elements.js",
    "/js/shared.js",
    "/js/e2ee.js",
    "/js/e2ee.wasm",
    "/tocsin-sw.js",
    "/tocsin/admin",
    "/healthz",
    "/readyz",
    "/metrics",
)
_API_BELOW = tuple(f"{path.rstrip('/')}/" for path in _API)
_ROUTED = (
    *(notifications, preferences, templates, trace, jobs, channels, chat),
    *(e2ee, events, sessions, streams, fcm, web_push, users, admin, health, metrics),
)
_PAGES = ("/", "/docs", "/openapi.json")
_FILES = ("/js/", "/docs/")
_BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class RestApp(FastAPI):
    """
    The application that serves REST, the docs and static files.

    Not in here: polling and WebSocket, which the engine answers by itself.

    Args:
        uses: The use-cases that the routes call.
        proxies: Whose forwarding headers are believed.
        asyncapi: Makes the document of the sockets.

    Attributes:
        wheel: Waits for the bodies that dribble in.
        proxies: Whose forwarding headers are believed.
        requests: Counts what was answered.
    """

    def __init__(self, uses: Uses, proxies: TrustedProxies, asyncapi: Callable[[], dict[str, Any]]) -> None:
        super().__init__(
            title="Tocsin",
            version=__version__,
            description=_DESCRIPTION,
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            redirect_slashes=False,
        )
        self.state.uses = uses
        self.wheel = TimerWheel()
        self.proxies = proxies
        self.requests = Requests()
        self._has_metrics = uses.metrics_access != "off"
        self._edge = Edge(
            self._route,
            uses.allow_origin,
            proxies,
            self._methods_of,
            requests=self.requests,
            tracing=uses.tracing,
        )
        # FastAPI's include_router would run the routes through its own solving of dependencies.
        routes = [route for module in _ROUTED for route in module.router.routes]
        self.router.routes.extend(routes)
        self.router.route_class = Endpoint
        self._asyncapi = asyncapi
        self.router.routes.append(Route("/openapi.json", self._serve_openapi))
        self.router.routes.append(Route("/asyncapi.json", self._serve_asyncapi))
        add_static_files(self)

        # Most requests name a path without an id in it: no need to try one pattern after the other.
        self._exact: dict[tuple[str, str], ASGIApp] = {
            (method, route.path): route.app
            for route in routes
            if isinstance(route, Endpoint) and "{" not in route.path
            for method in route.allowed
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request through the edge, in place of FastAPI's layers of middleware."""
        scope["app"] = self
        await self._edge(scope, receive, send)

    def is_api(self, path: str) -> bool:
        """Return whether a path is ours when a host application has all others."""
        return is_api_path(path) and (path != "/metrics" or self._has_metrics)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        found = self._exact.get((scope["method"], path))
        if found is not None:
            scope[ROUTE] = path
            await found(scope, receive, send)
            return
        if path in _API or path in _PAGES:
            scope[ROUTE] = path
        elif path.startswith(_FILES):
            scope[ROUTE] = f"/{path.split('/')[1]}/{{file}}"
        await self.router(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI 3.1 document."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document["components"]
            _add_schema(components["schemas"], ProblemView)
            for unused in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(unused, None)
            components["securitySchemes"] = {"token": _BEARER}
            for path, item in document["paths"].items():
                if path.startswith("/api/"):
                    for operation in item.values():
                        operation.setdefault("security", [{"token": []}])
            complete(document)
            self.openapi_schema = document
        return self.openapi_schema

    async def _serve_openapi(self, _: Request) -> Response:
        return Response(orjson.dumps(self.openapi()), media_type="application/json")

    async def _serve_asyncapi(self, _: Request) -> Response:
        return Response(orjson.dumps(self._asyncapi()), media_type="application/json")

    def _methods_of(self, scope: Scope) -> list[str]:
        found = [
            route for route in self.routes if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
        ]
        # The first match is the most specific path: of `stats` and `{notification_id}` only the former counts.
        return sorted({method for route in found if route.path == found[0].path for method in _methods(route)})


def is_api_path(path: str) -> bool:
    """Return whether REST, and no host application, answers this path."""
    return path in _API or path.startswith(_API_BELOW)


def _methods(route: Route) -> set[str]:
    return route.allowed if isinstance(route, Endpoint) else route.methods or set()


def _add_schema(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
