"""Who the client of a host application is behind a proxy: what uvicorn would tell it, by the rule of all doors."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.engine.proxies import TrustedProxies

_SCHEMES = {"http": {"http", "https"}, "websocket": {"ws", "wss"}}


class Forwarded:
    """
    Gives an application the client's address and scheme in place of a trusted proxy's.

    The ``Host`` header is left as it came.

    Args:
        app: The application.
        proxies: Whose forwarding headers are believed.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] in _SCHEMES:
            peer = (scope.get("client") or ("",))[0]
            if self._proxies.trusts(peer):
                headers = Headers(scope=scope)
                client = self._proxies.client(peer, ",".join(headers.getlist("x-forwarded-for")))
                if client != peer:
                    scope["client"] = (client, 0)
                scheme = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
                if scope["type"] == "websocket":
                    scheme = scheme.replace("http", "ws")
                if scheme in _SCHEMES[scope["type"]]:
                    scope["scheme"] = scheme
        await self._app(scope, receive, send)
