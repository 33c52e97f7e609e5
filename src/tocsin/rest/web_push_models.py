"""The JSON of Web Push: what a browser's ``PushSubscription.toJSON()`` gives, and what is answered."""

from typing import Annotated

from pydantic import BaseModel, Field

from tocsin.domain.web_push import MAX_ENDPOINT, MAX_RECEIPT, ReceiptEvent
from tocsin.rest.models import Strict

Endpoint = Annotated[
    str,
    Field(
        min_length=10,
        max_length=MAX_ENDPOINT,
        pattern=r"^https?://[!-~]+$",
        description="The URL of the push service. Never shown.",
    ),
]


class SubscriptionKeys(Strict):
    """The keys of a browser (RFC 8291)."""

    p256dh: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{87}=?$", description="A point of P-256, uncompressed.")]
    auth: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}(==)?$", description="16 bytes.")]


class SubscriptionEndpoint(Strict):
    """Which subscription."""

    endpoint: Endpoint


class BrowserSubscription(Strict):
    """What `PushSubscription.toJSON()` gives."""

    endpoint: Endpoint
    # Browsers give it, null nearly always; a push service that is done answers 410.
    expirationTime: Annotated[float, Field(ge=0)] | None = None  # noqa: N815 the browser's name
    keys: SubscriptionKeys


class Receipt(Strict):
    """What a service worker reports of a push."""

    receipt: Annotated[str, Field(min_length=1, max_length=MAX_RECEIPT, description="As the push brought it.")]
    event: ReceiptEvent


class PublicKeyView(BaseModel):
    """The public key of this installation, base64url without padding."""

    public_key: str


class WebPushSubscriptionView(BaseModel):
    """A subscription; neither its endpoint nor its keys are shown."""

    id: str
    created_at: str
