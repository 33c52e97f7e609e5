"""
Public keys that verify tokens, from PEM and from JSON Web Keys (RFC 7517), each with its algorithms.

A key says by its own kind which algorithms it verifies (RFC 8725, 3.1), so
that no token can choose one of another family. Secrets are no public keys: a
symmetric JSON Web Key is passed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

MAX_KEYS = 64
LEAST_RSA_BITS = 2_048

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class UnusableKey(ValueError):
    """Whatever this is, no token should be verified with it; the message is one line."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """
    A key and the only algorithms that it verifies.

    Attributes:
        key: As PyJWT takes it.
        algorithms: All of the key's own family.
        text: What it was read from; two keys are the same when this is.
    """

    key: Any
    algorithms: Sequence[str]
    text: bytes = b""


def key_of_pem(pem: str) -> SigningKey:
    """
    Return the key of a PEM text.

    Raises:
        UnusableKey: It is none, or too weak.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("is not a public key in PEM form") from None
    return SigningKey(key, _algorithms_of(key), pem.encode())


def keys_of_jwks(body: bytes) -> dict[str | None, SigningKey]:
    """
    Return the usable keys of a JSON Web Key Set, by ``kid``.

    What is not for signatures, symmetric, private, weak or of an unknown kind is
    passed over (RFC 7517, 5); of two keys with one ``kid`` the first counts.

    Raises:
        UnusableKey: It is no key set, or nothing in it can be used.
    """
    try:
        keys = orjson.loads(body)["keys"]
    except (ValueError, TypeError, KeyError):
        raise UnusableKey("is not a JSON Web Key Set") from None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise UnusableKey(f"is not a JSON Web Key Set of at most {MAX_KEYS} keys")
    found: dict[str | None, SigningKey] = {}
    for one in keys:
        key = _key_of_jwk(one)
        if key is not None:
            found.setdefault(one.get("kid"), key)
    if not found:
        raise UnusableKey("has no public key for signatures that can be used")
    return found


def _key_of_jwk(jwk: object) -> SigningKey | None:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(jwk.get("kid"), str | None) or not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        key = jwt.PyJWK(jwk).key
        algorithms = _algorithms_of(key)
        text = orjson.dumps(jwk, option=orjson.OPT_SORT_KEYS)
    # The readers beneath raise more than their own errors, on parts of a wrong type or length.
    except (jwt.PyJWTError, UnusableKey, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    named = jwk.get("alg")
    if named is not None:
        algorithms = [one for one in algorithms if one == named]
    return SigningKey(key, algorithms, text) if algorithms else None


def _algorithms_of(key: object) -> list[str]:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS:
        return list(_RSA)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return [_CURVES[key.curve.name]]
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ["EdDSA"]
    raise UnusableKey("must be RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519")
