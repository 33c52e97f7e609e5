"""Tokens: the short way accepts nothing that PyJWT would not, and the verifier ends in a principal or a refusal."""

import base64
import hashlib
import hmac
import time
from typing import Any

import jwt

from fuzz.reading import Reading
from fuzz.target import Target
from tocsin.adapters.jwt_tokens import JwtVerifier
from tocsin.adapters.signing_keys import SigningKey
from tocsin.adapters.usual_token import read_usual
from tocsin.domain.errors import Unauthenticated
from tocsin.domain.principal import Principal

KEY = b"a secret of thirty-two bytes or so"
_LATER = 9_999_999_999
_HEADERS = (
    *(b'{"alg":"HS256","typ":"JWT"}', b'{"typ":"JWT","alg":"HS256"}', b'{"alg":"HS256"}', b'{"alg":"none"}'),
    *(b'{"alg":"HS512"}', b'{"alg":"HS256","crit":["b64"],"b64":false}', b'{"alg":"HS256","kid":"x","jwk":{}}', b"[]"),
)
_EXPECTED: tuple[dict[str, str], ...] = ({}, {"iss": "us"}, {"aud": "them"}, {"iss": "us", "aud": "them"})
# Of the errors of the parsers beneath PyJWT that the verifier knows of.
_REFUSALS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def segment(data: bytes) -> bytes:
    """Return Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _judged(token: str, expected: dict[str, str]) -> dict[str, Any] | None:
    """Return what PyJWT makes of it, None where it refuses."""
    try:
        return jwt.decode(
            token,
            KEY,
            algorithms=["HS256"],
            issuer=expected.get("iss"),
            audience=expected.get("aud"),
            options={"require": ["exp", "sub", *expected], "verify_iat": False},
        )
    except _REFUSALS:
        return None


def _token(reading: Reading) -> str:
    """Return a token: as it comes, or parts of it made well."""
    style = reading.byte()
    if style & 1:
        return reading.rest().decode("latin-1")
    header = segment(reading.pick(_HEADERS) if style & 2 else reading.chunk())
    payload = reading.rest()
    if not style & 4:
        payload = segment(payload)
    signed = header + b"." + payload
    signature = segment(hmac.digest(KEY, signed, hashlib.sha256))
    if style & 8:
        signature += b"="
    return (signed + b"." + signature).decode("latin-1")


def run(data: bytes) -> None:
    """Read a token in three ways."""
    reading = Reading(data)
    expected = reading.pick(_EXPECTED)
    token = _token(reading)
    verifier = JwtVerifier(SigningKey(KEY, ["HS256"]), issuer=expected.get("iss"), audience=expected.get("aud"))
    principal: Principal | None
    try:
        principal = verifier.verify(token)
    except Unauthenticated as refusal:
        assert token not in refusal.detail or len(token) < 8, "the refusal tells the token"
        principal = None
    if principal is not None:
        assert verifier.verify(token) == principal
        assert 0 < len(principal.user_id) <= 128
    if token.isascii() and 0 < len(token) <= 8_192:
        usual = read_usual(token, KEY, expected, time.time())
        judged = _judged(token, expected)
        assert usual is None or usual == judged, "PyJWT reads something else"
        if judged is None:
            assert principal is None, "PyJWT refuses it"


def _seed(expected: int, claims: bytes) -> bytes:
    return bytes((expected, 2, 0)) + claims


TARGET = Target(
    run=run,
    watched=["tocsin.adapters.usual_token", "tocsin.adapters.jwt_tokens", "tocsin.domain.user_id"],
    seeds=[
        _seed(0, b'{"sub":"7","exp":%d}' % _LATER),
        _seed(3, b'{"sub":"7","exp":%d,"iss":"us","aud":"them","jti":"a","scope":"publish admin"}' % _LATER),
        _seed(2, b'{"sub":"7","exp":%d,"aud":["them","others"],"nbf":1}' % _LATER),
        _seed(0, b'{"sub":"7","exp":%d,"type":"refresh"}' % _LATER),
        _seed(0, b'{"sub":7,"exp":1e400,"scope":[]}'),
        b"\x00\x01" + segment(_HEADERS[0]) + b"." + segment(b"{}") + b".",
    ],
    words=[
        *(b'"sub":', b'"exp":', b'"iss":', b'"aud":', b'"jti":', b'"nbf":', b'"scope":', b'"type":"refresh"'),
        *(
            b'"us"',
            b'"them"',
            b"9999999999",
            b"1e999",
            b"NaN",
            b"Infinity",
            b"[[[[[[[[[[[[[[[[",
            b"\\ud800",
            b"\\u0000",
        ),
    ],
    max_length=512,
)
