"""
The keys of this installation for Web Push, and who it says it is (RFC 8292).

Made at first use and kept in the database, so that all nodes have the same.
The private key never leaves this module but for the database: no repr, no
log and no answer holds it.
"""

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tocsin.application.ports import Store
from tocsin.domain.web_push import PushKeys, to_base64url

# RFC 8292 allows 24 h. Half of it, so that a clock that is hours wrong does no harm.
TOKEN_LIFE_S = 12 * 3_600
_RENEWED_BEFORE_S = 3_600
_MAX_AUDIENCES = 256


class _Token(NamedTuple):
    header: str
    expires_at: float


class VapidKeyring:
    """
    Implements ``PushKeyring`` over the store. Belongs to the event loop's thread.

    Args:
        store: Where the keys are kept.
        subject: Whom a push service may write to: a ``mailto:`` or ``https:`` URI; None: nobody.
        clock: Seconds since 1970.
    """

    def __init__(self, store: Store, subject: str | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._subject = subject
        self._clock = clock
        self._keys: PushKeys | None = None
        self._private: ec.EllipticCurvePrivateKey
        self._public = ""
        self._tokens: dict[str, _Token] = {}

    async def keys(self) -> PushKeys:
        """Return the keys; the first call in the life of the database makes them."""
        if self._keys is None:
            keys = await self._store.push_keys(make_keys())
            private = load_pem_private_key(keys.private_pem.encode(), None)
            assert isinstance(private, ec.EllipticCurvePrivateKey)
            self._private = private
            point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self._public = to_base64url(point)
            self._keys = keys
        return self._keys

    async def public_key(self) -> str:
        """Return the public key as browsers take it."""
        await self.keys()
        return self._public

    async def authorization(self, audience: str) -> str:
        """
        Return the ``Authorization`` for a push service, the same until it is about to expire.

        Args:
            audience: The origin of the push service.
        """
        await self.keys()
        now = self._clock()
        token = self._tokens.get(audience)
        if token is None or token.expires_at - now < _RENEWED_BEFORE_S or token.expires_at - now > TOKEN_LIFE_S:
            token = self._sign(audience, now)
            if len(self._tokens) >= _MAX_AUDIENCES:
                self._tokens.clear()
            self._tokens[audience] = token
        return token.header

    def _sign(self, audience: str, now: float) -> _Token:
        expires_at = int(now) + TOKEN_LIFE_S
        claims: dict[str, str | int] = {"aud": audience, "exp": expires_at}
        if self._subject is not None:
            claims["sub"] = self._subject
        signed = jwt.encode(claims, self._private, algorithm="ES256")
        return _Token(f"vapid t={signed}, k={self._public}", expires_at)


def make_keys() -> PushKeys:
    """Return new keys."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return PushKeys(pem, secrets.token_bytes(32))
