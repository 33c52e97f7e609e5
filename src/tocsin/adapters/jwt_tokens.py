"""
JSON Web Tokens (RFC 7519) verified by the rules of RFC 8725.

The algorithms are fixed by the configured key and by nothing in the token:
headers such as ``jwk``, ``jku`` and ``x5u`` choose nothing, ``kid`` at most one of
the configured issuer's own keys, and ``crit`` is refused. What a principal may
do is decided elsewhere.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import jwt

from tocsin.adapters.jwks import KeySet
from tocsin.adapters.signing_keys import SigningKey, UnusableKey, key_of_pem
from tocsin.adapters.usual_token import read_usual
from tocsin.domain.errors import Invalid, Unauthenticated
from tocsin.domain.principal import Principal
from tocsin.domain.user_id import UserId, parse_user_id
from tocsin.settings import Settings, SettingsError

MAX_TOKEN = 8_192
MAX_CACHED = 16_384
# Flask-JWT-Extended and others write the instant of a token's making as its `nbf`, and a login comes with it at once:
# clocks a tenth of a second apart would refuse it (RFC 7519, 4.1.5). `exp` has no leeway: clients are told of it.
CLOCK_SKEW_S = 60.0

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidIssuerError, "the token has another issuer"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.InvalidAlgorithmError, "the token is signed by another algorithm"),
    (jwt.InvalidSignatureError, "the token's signature is wrong"),
    (jwt.MissingRequiredClaimError, "the token lacks a required claim"),
    (jwt.exceptions.InvalidSubjectError, "the token's sub is not a string"),
)


class JwtVerifier:
    """
    Verifies tokens against the configured keys; implements the port TokenVerifier.

    What was verified is remembered by the token's digest until it expires, in a
    least-recently-used cache of ``MAX_CACHED`` entries, because a signature
    check costs more than the rest of a handshake. A refusal is never cached, and
    when the keys change everything is verified anew. Belongs to one thread.

    Args:
        keys: The one key, or the set that a token's ``kid`` chooses from.
        issuer: The ``iss`` that a token must have, or None.
        audience: The ``aud`` that a token must have; None refuses tokens with one.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        keys: SigningKey | KeySet,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._expected = {name: value for name, value in (("iss", issuer), ("aud", audience)) if value}
        self._secret = keys.key if isinstance(keys, SigningKey) and keys.algorithms == ["HS256"] else None
        self._required = ["exp", "sub", *(["iss"] if issuer else []), *(["aud"] if audience else [])]
        self._cache: dict[bytes, Principal] = {}
        if isinstance(keys, KeySet):
            keys.on_change = self._cache.clear

    @property
    def key_set(self) -> KeySet | None:
        """Return the keys that have to be fetched, None where the key is configured."""
        return self._keys if isinstance(self._keys, KeySet) else None

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "JwtVerifier":
        """
        Return a verifier for the configured key.

        Raises:
            SettingsError: There is no key, or the public key is not usable.
        """
        return cls(_keys(settings), issuer=settings.jwt_issuer, audience=settings.jwt_audience, clock=clock)

    def verify(self, token: object) -> Principal:
        """
        Return the token's principal.

        Raises:
            Unauthenticated: Anything about the token is wrong; the detail tells
                which rule it breaks and holds nothing of the token.
            KeyUnknown: Of these, it may be signed by a key that the issuer has made since it was asked.
            Overloaded: The issuer's keys could not be fetched yet.
        """
        if not isinstance(token, str) or not token:
            raise Unauthenticated("a token is required")
        if len(token) > MAX_TOKEN or not token.isascii():
            raise Unauthenticated("the token is malformed")
        digest = hashlib.sha256(token.encode("ascii")).digest()
        principal = self._cache.pop(digest, None)
        if principal is None:
            principal = self._decode(token)
            if len(self._cache) >= MAX_CACHED:
                del self._cache[next(iter(self._cache))]
        elif principal.expires_at <= self._clock():
            raise Unauthenticated("the token has expired")
        # A dict keeps insertion order, so putting it back at the end is the whole LRU.
        self._cache[digest] = principal
        return principal

    def _decode(self, token: str) -> Principal:
        usual = self._secret and read_usual(token, self._secret, self._expected, self._clock())
        try:
            claims = usual or self._judge(token)
            expires_at = float(claims["exp"])
        # The parsers beneath raise more than their own errors: on deep nesting, infinities, huge digits.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthenticated(_reason(error)) from None
        if "refresh" in (claims.get("type"), claims.get("token_type")):
            # Flask-JWT-Extended's and Simple JWT's: the same key and user, weeks of life, meant for one endpoint.
            raise Unauthenticated("a refresh token gives no access")
        return Principal(
            user_id=_subject(claims["sub"]),
            scopes=_scopes(claims.get("scope", "")),
            expires_at=expires_at,
            token_id=claims.get("jti"),
            issued_at=_issued_at(claims.get("iat")),
        )

    def _judge(self, token: str) -> dict[str, Any]:
        key = self._keys if isinstance(self._keys, SigningKey) else self._keys.find(token)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=key.algorithms,
                issuer=self._issuer,
                audience=self._audience,
                # An issuer's clock that runs a second ahead is no reason to refuse.
                options={"require": self._required, "verify_iat": False, "verify_nbf": False},
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            if isinstance(self._keys, KeySet):
                self._keys.doubt()
            raise
        if "nbf" in claims and int(claims["nbf"]) > self._clock() + CLOCK_SKEW_S:
            raise jwt.ImmatureSignatureError
        return claims


def issue_token(
    settings: Settings, user_id: UserId, *, ttl_s: float, scope: str = "", now: float | None = None, **claims: Any
) -> str:
    """
    Return an HS256 token that this service's own settings accept.

    Args:
        settings: Holds the secret, and the issuer and audience to name.
        user_id: The token's ``sub``.
        ttl_s: Seconds until it expires.
        scope: Space-separated scopes.
        now: Seconds since 1970; None: the wall clock.
        claims: Claims that are added to or replace the usual ones.

    Raises:
        SettingsError: There is no secret; only the issuer of tokens has the private key.
    """
    if settings.jwt_secret is None:
        raise SettingsError("TOCSIN_JWT_SECRET is not set: tokens are made by whoever holds the secret or private key")
    issued_at = int(time.time() if now is None else now)
    usual = {
        "sub": user_id,
        "iat": issued_at,
        "exp": issued_at + int(ttl_s),
        "scope": scope or None,
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
    }
    payload = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(payload, settings.jwt_secret.get_secret_value(), algorithm="HS256")


def _keys(settings: Settings) -> SigningKey | KeySet:
    if settings.jwt_secret is not None:
        return SigningKey(settings.jwt_secret.get_secret_value().encode(), ["HS256"])
    if settings.jwks_url is not None:
        return KeySet(settings.jwks_url)
    if settings.jwt_public_key is None:
        raise SettingsError(
            "TOCSIN_JWT_SECRET is not set: give it the secret of your back end's HS256 tokens "
            "(`openssl rand -hex 32` makes one), or set TOCSIN_JWT_PUBLIC_KEY or TOCSIN_JWKS_URL"
        )
    try:
        return key_of_pem(settings.jwt_public_key)
    except UnusableKey as error:
        raise SettingsError(f"TOCSIN_JWT_PUBLIC_KEY {error}") from None


def _reason(error: Exception) -> str:
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "the token is malformed")


def _subject(sub: str) -> UserId:
    try:
        return parse_user_id(sub, "sub")
    except Invalid as error:
        raise Unauthenticated(f"the token's {error.detail}") from None


def _issued_at(iat: object) -> float | None:
    # A bool is an int, and an integer may be too big for a float: then nobody knows when.
    return float(iat) if type(iat) in (int, float) and abs(iat) < 1e12 else None  # type: ignore[arg-type]


def _scopes(scope: object) -> frozenset[str]:
    if not isinstance(scope, str):
        raise Unauthenticated("the token's scope is not a string")
    return frozenset(scope.split())
