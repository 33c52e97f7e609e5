"""Web Push over HTTP: the browser's PushSubscription, and what its service worker reports."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from tocsin.domain.text import storable
from tocsin.domain.web_push import MAX_USER_AGENT, WebPushDraft
from tocsin.rest.answers import ONCE, api_router, json_response, no_content, problems
from tocsin.rest.callers import Anybody, Caller, OnceKey, uses
from tocsin.rest.endpoint import Incoming
from tocsin.rest.uses import Uses
from tocsin.rest.web_push_models import (
    BrowserSubscription,
    PublicKeyView,
    Receipt,
    SubscriptionEndpoint,
    WebPushSubscriptionView,
)

router = api_router("webpush")

App = Annotated[Uses, Depends(uses)]


def browser(request: Incoming) -> str | None:
    """Return what the browser calls itself, as much as is kept."""
    name = storable(request.header(b"user-agent") or "").strip()
    return name[:MAX_USER_AGENT] or None


@router.get("/api/webpush/public-key", response_model=PublicKeyView, responses=problems())
async def webpush_public_key(app: App, caller: Caller) -> Response:  # noqa: ARG001 a token is needed
    """Return the `applicationServerKey` that browsers subscribe with; it never changes."""
    return json_response({"public_key": await app.web_push.public_key()})


@router.post(
    "/api/webpush/subscriptions",
    status_code=201,
    response_model=WebPushSubscriptionView,
    responses=problems(415),
    openapi_extra=ONCE,
)
async def save_webpush_subscription(
    app: App,
    caller: Caller,
    body: BrowserSubscription,
    user_agent: Annotated[str | None, Depends(browser)],
    once: OnceKey,
) -> Response:
    """
    Keep the browser's subscription; pages send it at every visit.

    The same endpoint again is an update; was it another user's, it is the caller's
    from now on. Beyond the limit the subscription not seen for longest goes.
    """
    draft = WebPushDraft(
        user_id=caller.user_id,
        endpoint=body.endpoint,
        p256dh=body.keys.p256dh,
        auth=body.keys.auth,
        user_agent=user_agent,
    )
    subscription = await app.web_push.subscribe(draft, once)
    return json_response(subscription.json(), 201)


@router.delete(
    "/api/webpush/subscriptions",
    status_code=204,
    response_model=None,
    responses=problems(404, 415),
    openapi_extra=ONCE,
)
async def delete_webpush_subscription(app: App, caller: Caller, body: SubscriptionEndpoint, once: OnceKey) -> Response:
    """Remove one subscription of the caller's own."""
    await app.web_push.unsubscribe(caller.user_id, body.endpoint, once)
    return no_content()


@router.post(
    "/api/webpush/receipts",
    status_code=204,
    response_model=None,
    responses=problems(415, 429),
    # The signature of the receipt is the authorization: a service worker has no token.
    openapi_extra={"security": []},
)
async def take_webpush_receipt(app: App, _: Anybody, body: Receipt) -> Response:
    """Take the proof of a service worker that a push arrived; once more is as once."""
    await app.web_push.receive(body.receipt, body.event)
    return no_content()
