"""
The HS256 check of the Python peers, as small as the one in ``node/server.js``.

Every peer with a token check does the same work, so that handshakes compare
servers, not JWT libraries. Not for use anywhere else: see ``tocsin.adapters``.
"""

import base64
import hmac
import os
import time

import orjson

SECRET = os.environ["BENCH_SECRET"].encode()


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def user_of(token: str) -> str:
    """
    Return the ``sub`` of a valid, unexpired HS256 token.

    Raises:
        ValueError: It is not one.
    """
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(hmac.digest(SECRET, signed.encode(), "sha256"), _decode(signature)):
        raise ValueError("bad signature")
    header, _, claims = signed.partition(".")
    if orjson.loads(_decode(header))["alg"] != "HS256":
        raise ValueError("bad algorithm")
    content = orjson.loads(_decode(claims))
    if content["exp"] <= time.time():
        raise ValueError("expired")
    return str(content["sub"])
