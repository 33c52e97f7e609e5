"""
The usual HS256 token, read without ceremony (RFC 7515, 7519).

PyJWT takes 47 microseconds for a token of which a hash takes one, and most of
a reconnect storm is tokens. So the token that nearly everybody sends is read
here, and whatever is unusual about one is left to PyJWT: this accepts less
than PyJWT does and refuses nothing.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import orjson

# As the libraries of Python, Node, PHP and Java write it.
_HEADERS = frozenset(
    urlsafe_b64encode(header).rstrip(b"=").decode()
    for header in (b'{"alg":"HS256","typ":"JWT"}', b'{"typ":"JWT","alg":"HS256"}', b'{"alg":"HS256"}')
)
# Python's decoder leaves out what it does not know.
_is_base64url = re.compile(r"[A-Za-z0-9_-]+", re.ASCII).fullmatch


def read_usual(token: str, key: bytes, expected: Mapping[str, str], now: float) -> dict[str, Any] | None:
    """
    Return the claims of a token that is plainly good, or None: let PyJWT judge it.

    Args:
        token: In ASCII.
        key: The HS256 secret.
        expected: ``iss`` and ``aud``, where they are configured.
        now: Seconds since 1970.
    """
    signed, _, signature = token.rpartition(".")
    header, _, payload = signed.partition(".")
    if header not in _HEADERS or not _is_base64url(payload):
        return None
    made = urlsafe_b64encode(hmac.digest(key, signed.encode("ascii"), "sha256"))[:-1]
    if not hmac.compare_digest(made, signature.encode("ascii")):
        return None
    try:
        claims = orjson.loads(urlsafe_b64decode(payload + "=="[: -len(payload) % 4]))
    except ValueError:
        return None
    return claims if _is_plain(claims, expected, now) else None


def _is_plain(claims: Any, expected: Mapping[str, str], now: float) -> bool:
    return (
        type(claims) is dict
        and type(claims.get("exp")) is int
        and claims["exp"] > now
        and type(claims.get("sub")) is str
        and "nbf" not in claims
        and type(claims.get("jti", "")) is str
        and claims.get("iss") == expected.get("iss")
        and claims.get("aud") == expected.get("aud")
    )
