"""
A Web Push subscription: a browser of a user's that takes pushes (RFC 8030, 8291).

Its endpoint is a capability, who knows it can push to it, and so are its keys.
They are stored whole and shown nowhere: of an endpoint the host alone is told.
Where an endpoint may lead to is judged in ``adapters.push_endpoints``.
"""

import base64
import hmac
import re
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from tocsin.domain.errors import Forbidden
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId

ReceiptEvent = Literal["shown", "clicked", "closed"]

MAX_ENDPOINT = 2_048
MAX_USER_AGENT = 200
MAX_RECEIPT = 512
MAX_RECEIPTS_A_MINUTE = 120

P256DH = re.compile(r"[A-Za-z0-9_-]{87}=?")
AUTH = re.compile(r"[A-Za-z0-9_-]{22}(?:==)?")

_POINT_BYTES = 65
_UNCOMPRESSED = 4
# The curve P-256 (FIPS 186-5): y² = x³ - 3x + b over the field of p.
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

RECEIPT = re.compile(r"[A-Za-z0-9_-]{1,480}\.[A-Za-z0-9_-]{22}")
_MAC_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPushDraft:
    """
    What a browser subscribes with.

    Attributes:
        endpoint: The URL that its push service made for it.
        p256dh: Its public key, base64url of the 65 bytes of a point of P-256.
        auth: Its secret, base64url of 16 bytes.
        user_agent: As it calls itself, for people to tell two apart; None: not told.
    """

    user_id: UserId
    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPushSubscription:
    """
    A browser that takes pushes; instants are milliseconds since 1970.

    Attributes:
        last_seen_at: When it subscribed last, or when a push was last proven to have arrived.
    """

    id: str
    user_id: UserId
    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    user_agent: str | None
    created_at: int
    last_seen_at: int

    @property
    def host(self) -> str:
        """Return the host of the endpoint: what may be shown of it."""
        return host_of(self.endpoint)

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers, without the endpoint and the keys."""
        return {"id": self.id, "created_at": iso(self.created_at)}


@dataclass(frozen=True, slots=True)
class PushKeys:
    """
    The keys that this installation pushes with, the same on every node.

    Attributes:
        private_pem: The VAPID key (RFC 8292), a private key of P-256 as PEM.
        receipt_key: Signs receipts, 32 random bytes.
    """

    private_pem: str = field(repr=False)
    receipt_key: bytes = field(repr=False)


def host_of(endpoint: str) -> str:
    """Return what may be shown of an endpoint."""
    try:
        return urlsplit(endpoint).hostname or ""
    except ValueError:
        return ""


def to_base64url(data: bytes) -> str:
    """Return the text without padding (RFC 4648, 5; RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """
    Return the bytes of a text with or without padding.

    Raises:
        ValueError: It is no such text.
    """
    bare = text.rstrip("=")
    try:
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError("is not base64url") from None
    # Bits beyond the last byte would make two texts of one value.
    if to_base64url(data) != bare:
        raise ValueError("is not base64url")
    return data


def is_public_key(text: str) -> bool:
    """Return whether this is an uncompressed point of P-256 in base64url (RFC 8291, 2.1)."""
    try:
        point = from_base64url(text)
    except ValueError:
        return False
    if len(point) != _POINT_BYTES or point[0] != _UNCOMPRESSED:
        return False
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    # A point that is not on the curve would give the key away that it is multiplied with.
    return x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0


def sign_receipt(key: bytes, subscription_id: str, notification_id: str | None) -> str:
    """
    Return the token with which a service worker proves that a push arrived.

    It says which subscription and notification, and nothing that the browser does not know.
    """
    body = to_base64url(f"{subscription_id}\n{notification_id or ''}".encode())
    return f"{body}.{_mac(key, body)}"


def read_receipt(key: bytes, receipt: str) -> tuple[str, str | None]:
    """
    Return the subscription and the notification of a receipt.

    Raises:
        Forbidden: It was not signed with this key.
    """
    body, _, mac = receipt.partition(".")
    if not RECEIPT.fullmatch(receipt) or not hmac.compare_digest(mac, _mac(key, body)):
        raise Forbidden("this receipt was not given out by this server")
    subscription_id, _, notification_id = from_base64url(body).decode().partition("\n")
    return subscription_id, notification_id or None


def _mac(key: bytes, body: str) -> str:
    return to_base64url(hmac.digest(key, f"receipt {body}".encode(), "sha256")[:_MAC_BYTES])
