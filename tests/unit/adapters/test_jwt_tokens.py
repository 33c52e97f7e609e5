"""Verification of tokens: what is accepted, what is refused, what is remembered."""

import base64
import hashlib
import hmac
import time

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.adapters import jwt_tokens
from tocsin.adapters.jwt_tokens import JwtVerifier, issue_token
from tocsin.domain.errors import Unauthenticated
from tocsin.settings import Settings, SettingsError

SECRET = "a secret of thirty-two bytes or so"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def settings(**values):
    return Settings(_env_file=None, **({"jwt_secret": SECRET} | values))


def verifier(**values):
    return JwtVerifier.from_settings(settings(**values))


def claims(**changes):
    usual = {"sub": "7", "exp": int(time.time()) + 86_400}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(payload, headers=None, key=SECRET):
    """Sign as HS256 by hand: PyJWT would not sign what it should refuse."""
    head = orjson.dumps({"typ": "JWT", "alg": "HS256"} | (headers or {}))
    text = b".".join(_b64(part) for part in (head, payload if isinstance(payload, bytes) else orjson.dumps(payload)))
    signature = hmac.new(key.encode() if isinstance(key, str) else key, text, hashlib.sha256).digest()
    return b".".join((text, _b64(signature))).decode()


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def pem(private_key):
    return private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def refusal(token, **values):
    with pytest.raises(Unauthenticated) as refused:
        verifier(**values).verify(token)
    return refused.value.detail


def test_a_good_token_gives_its_principal():
    """User, scopes, expiry and id come from the claims."""
    expiry = time.time() + 60.5
    principal = verifier().verify(signed(claims(scope="publish admin", jti="t-1", exp=expiry)))

    assert principal.user_id == "7"
    assert principal.scopes == {"publish", "admin"}
    assert principal.expires_at == pytest.approx(expiry)
    assert principal.token_id == "t-1"


def test_an_issued_token_is_accepted():
    """The service accepts what `issue_token` makes, with issuer and audience."""
    configured = settings(jwt_issuer="softfactory", jwt_audience="tocsin")
    principal = JwtVerifier.from_settings(configured).verify(issue_token(configured, "ada", ttl_s=60, scope="publish"))

    assert (principal.user_id, principal.scopes) == ("ada", {"publish"})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (claims(exp=1), "expired"),
        (claims(exp=None), "required claim"),
        (claims(exp="soon"), "malformed"),
        (b'{"sub":"7","exp":Infinity}', "malformed"),
        (b'{"sub":"7","exp":1e999}', "malformed"),
        (b'{"sub":"7","exp":NaN}', "malformed"),
        (b'{"sub":"7","exp":' + b"9" * 5000 + b"}", "malformed"),
        (claims(nbf=int(time.time()) + 86_400), "not valid yet"),
        (claims(sub=None), "required claim"),
        (claims(sub=""), "sub must have"),
        (claims(sub=7), "not a string"),
        (claims(sub=["7"]), "not a string"),
        (claims(sub="a\nb"), "not printable"),
        (claims(sub="7" * 129), "sub must have"),
        (claims(scope=["publish"]), "scope is not a string"),
        (claims(aud="somebody else"), "audience"),
        (b'"7"', "malformed"),
        (b"[" * 6000, "malformed"),
        (b"\xff\xfe", "malformed"),
    ],
)
def test_a_bad_claim_is_refused_with_the_reason(payload, reason):
    """Each claim that breaks a rule is refused, whoever signed it."""
    assert reason in refusal(signed(payload))


def test_an_issuer_whose_clock_is_a_little_ahead_is_believed():
    """Flask-JWT-Extended writes an `nbf` into each token, and a login comes with it in the same second."""
    assert "7" == verifier().verify(signed(claims(nbf=int(time.time()) + 50))).user_id
    assert "not valid yet" in refusal(signed(claims(nbf=int(time.time()) + 600)))


@pytest.mark.parametrize("nbf", [b'"soon"', b"null", b"[]", b"{}", b"Infinity", b"NaN", b"9" * 5000])
def test_an_nbf_that_is_no_instant_is_malformed(nbf):
    """It is refused as any other nonsense is."""
    body = orjson.dumps(claims())[:-1] + b',"nbf":' + nbf + b"}"

    assert "malformed" in refusal(signed(body))


@pytest.mark.parametrize("name", ["type", "token_type"])
def test_a_refresh_token_gives_no_access(name):
    """Flask-JWT-Extended signs it with the key of its access tokens, which are accepted."""
    assert refusal(signed(claims(**{name: "refresh"}))) == "a refresh token gives no access"
    assert verifier().verify(signed(claims(**{name: "access"}))).user_id == "7"


@pytest.mark.parametrize("changes", [{"iss": "evil"}, {"iss": None}, {"aud": "evil"}, {"aud": None}])
def test_configured_issuer_and_audience_are_required(changes):
    """With an issuer and an audience configured, a missing or other one is refused."""
    payload = claims(**({"iss": "good", "aud": "tocsin"} | changes))

    assert "the token" in refusal(signed(payload), jwt_issuer="good", jwt_audience="tocsin")


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", "HS384", "RS256"])
def test_the_token_does_not_choose_its_algorithm(alg):
    """Any `alg` but the configured one is refused, and `none` in every spelling."""
    body = _b64(orjson.dumps(claims())).decode()
    head = _b64(orjson.dumps({"typ": "JWT", "alg": alg})).decode()

    assert refusal(f"{head}.{body}.")
    assert refusal(signed(claims(), {"alg": alg}))


def test_a_public_key_is_no_hmac_secret():
    """With an RSA key configured, a token signed by HMAC with its PEM text is refused."""
    public = pem(RSA_KEY)

    assert refusal(signed(claims(), key=public), jwt_secret=None, jwt_public_key=public)


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/keys"},
        {"jwk": {"kty": "oct", "k": _b64(b"x" * 32).decode()}},
    ],
)
def test_key_headers_choose_nothing(headers):
    """kid, jku, x5u and jwk neither help a wrong signature nor hurt a right one."""
    assert verifier().verify(signed(claims(), headers)).user_id == "7"
    assert "signature" in refusal(signed(claims(), headers, key=b"x" * 32))


def test_an_unknown_critical_header_is_refused():
    """`crit` names what we don't implement (RFC 7515, 4.1.11)."""
    assert refusal(signed(claims(), {"crit": ["exp2"], "exp2": 1}))


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "..", "é.é.é", "x" * 8193, None, 7, b"bytes", ["list"]])
def test_what_is_no_token_is_refused(token):
    """Anything that isn't three parts of base64 is refused and not echoed."""
    detail = refusal(token)

    assert not isinstance(token, str) or len(token) < 4 or token not in detail


def test_a_future_iat_is_accepted():
    """An issuer whose clock runs a little ahead does not lock its users out."""
    assert verifier().verify(signed(claims(iat=int(time.time()) + 5))).user_id == "7"


@pytest.mark.parametrize(
    ("private_key", "algorithm"),
    [
        (RSA_KEY, "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
    ids=["rsa", "p256", "ed25519"],
)
def test_public_keys_verify_their_own_algorithm(private_key, algorithm):
    """RSA, EC and Ed25519 public keys accept what their private key signed."""
    token = jwt.encode(claims(), private_key, algorithm=algorithm)

    assert verifier(jwt_secret=None, jwt_public_key=pem(private_key)).verify(token).user_id == "7"


@pytest.mark.parametrize(
    "key",
    [
        "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n",
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(rsa.generate_private_key(public_exponent=65_537, key_size=1024)),
    ],
    ids=["garbage", "secp256k1", "rsa1024"],
)
def test_unusable_public_keys_stop_the_start(key):
    """A key that is broken or too weak is refused with the setting's name."""
    with pytest.raises(SettingsError, match="TOCSIN_JWT_PUBLIC_KEY"):
        verifier(jwt_secret=None, jwt_public_key=key)


def test_no_key_stops_the_start():
    """Without secret and key the refusal tells how to make a secret."""
    with pytest.raises(SettingsError, match="openssl rand"):
        verifier(jwt_secret=None)


def test_a_remembered_token_expires():
    """The cache does not outlive the token."""
    moment = time.time()
    remembering = JwtVerifier.from_settings(settings(), clock=lambda: moment)
    token = signed(claims(exp=moment + 60))
    first = remembering.verify(token)

    assert remembering.verify(token) is first
    moment += 61
    with pytest.raises(Unauthenticated, match="expired"):
        remembering.verify(token)


def test_the_cache_is_bounded_and_forgets_the_least_recently_used(monkeypatch):
    """At its bound the cache drops the token that was longest not asked for."""
    monkeypatch.setattr(jwt_tokens, "MAX_CACHED", 2)
    bounded = verifier()
    tokens = [signed(claims(sub=str(user))) for user in range(3)]
    principals = [bounded.verify(token) for token in tokens[:2]]
    bounded.verify(tokens[0])
    bounded.verify(tokens[2])

    assert bounded.verify(tokens[0]) is principals[0]
    assert bounded.verify(tokens[1]) is not principals[1]


def test_a_refusal_is_not_remembered():
    """A flood of bad tokens does not push good ones out of the cache."""
    remembering = verifier()
    for number in range(10):
        with pytest.raises(Unauthenticated):
            remembering.verify(f"a.b.{number}")

    assert remembering._cache == {}
