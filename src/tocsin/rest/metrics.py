"""
``GET /metrics``: the counters of the server, for Prometheus.

Who may read them is decided here; what they are is ``tocsin.metrics``'s.
"""

from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tocsin.engine.proxies import TrustedProxies
from tocsin.rest.answers import Responses, api_router, problems
from tocsin.rest.callers import caller, uses
from tocsin.rest.endpoint import Incoming
from tocsin.rest.problems import TokenMissing, from_http_exception
from tocsin.rest.uses import Uses

router = api_router("health")

_REFUSALS: Responses = {status: refusal for status, refusal in problems().items() if status in {401, 403, 404}}
_TEXT: Responses = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics."}}


def reader(request: Incoming) -> str:
    """
    Return what the reader accepts, if it may read the metrics.

    With ``loopback`` a reader on this machine needs no token. Behind a trusted proxy its client counts, and what a
    browser was sent to under a foreign name (DNS rebinding) is no reader on this machine.

    Raises:
        NotFound: There are no metrics here.
        TokenMissing: It needs a token, and has none.
        Forbidden: Its token lacks the scope ``admin``.
    """
    access = uses(request).metrics_access
    if access == "off":
        raise from_http_exception(HTTPException(404))
    is_free = access == "open" or (access == "loopback" and _is_local(request, request.app.proxies))
    if not is_free:
        try:
            caller(request).require("admin")
        except TokenMissing:
            raise TokenMissing("the metrics need a token with the scope 'admin' here") from None
    return request.header(b"accept") or ""


def _is_local(request: Incoming, proxies: TrustedProxies) -> bool:
    scope = request.scope
    peer = scope["client"][0] if scope["client"] else ""
    forwarded_for = ",".join(request.headers.getlist("x-forwarded-for"))
    host = (request.header(b"host") or "").rpartition("@")[2].lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return _is_loopback(proxies.client(peer, forwarded_for)) and (name == "localhost" or _is_loopback(name))


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@router.get("/metrics", response_class=Response, responses={**_TEXT, **_REFUSALS})
async def metrics(app: Annotated[Uses, Depends(uses)], accept: Annotated[str, Depends(reader)]) -> Response:
    """
    Answer the metrics of this server, of all its workers where there are several, as Prometheus or OpenMetrics text.

    Open to readers on the same machine, to others with a token of the scope `admin`; see `TOCSIN_METRICS`.
    """
    text, media_type = await app.expose(accept)
    return Response(text, headers={"content-type": media_type, "cache-control": "no-store"})
