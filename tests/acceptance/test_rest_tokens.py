"""Tokens over a real connection: security.md, "Tokens"."""

import base64
import hashlib
import hmac
import time

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

INBOX = "/api/notifications"


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def forged(key=b"x" * 32, headers=None, **claims):
    """Sign by hand what a library would refuse to sign."""
    head = orjson.dumps({"typ": "JWT", "alg": "HS256"} | (headers or {}))
    body = orjson.dumps({"sub": "7", "exp": int(time.time()) + 60} | claims)
    text = _b64(head) + b"." + _b64(body)
    return (text + b"." + _b64(hmac.new(key, text, hashlib.sha256).digest())).decode()


def signed(server, headers=None, **claims):
    return forged(server.settings.jwt_secret.get_secret_value().encode(), headers, **claims)


def assert_refused(answer, token=None):
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.json()["code"] == "unauthenticated"
    if token:
        assert token not in answer.text


def test_a_good_token_opens_the_inbox(shared_server):
    """A signed, unexpired token with a subject is enough."""
    answer = shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {signed(shared_server)}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_is_case_insensitive(shared_server, scheme):
    """RFC 9110, 11.1: the name of a scheme has no case."""
    answer = shared_server.http.get(INBOX, headers={"Authorization": f"{scheme} {shared_server.mint(7)}"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "method_and_path", ["GET " + INBOX, "POST " + INBOX, "POST /api/events", "GET /api/stream/sns"]
)
def test_no_token_is_refused_with_a_challenge(shared_server, method_and_path):
    """Without a token every API route answers 401 and says how to authenticate."""
    method, path = method_and_path.split()
    answer = shared_server.http.request(method, path, json={} if method == "POST" else None)

    assert_refused(answer)
    assert answer.headers["www-authenticate"] == 'Bearer realm="tocsin"'


@pytest.mark.parametrize("value", ["", "Bearer", "Basic dXNlcjpwYXNz", "Token abc", "Bearer a b c"])
def test_other_authorization_is_refused(shared_server, value):
    """Only a bearer token counts."""
    assert_refused(shared_server.http.get(INBOX, headers={"Authorization": value}))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_unsigned_tokens_are_refused(shared_server, alg):
    """`alg: none` is refused in every spelling, without and with a signature."""
    body = _b64(orjson.dumps({"sub": "7", "exp": int(time.time()) + 60})).decode()
    head = _b64(orjson.dumps({"typ": "JWT", "alg": alg})).decode()
    for token in (f"{head}.{body}.", f"{head}.{body}", signed(shared_server, {"alg": alg})):
        assert_refused(shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "2099-01-01"},
        {"nbf": 4_000_000_000},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": ["7"]},
        {"sub": {"$ne": ""}},
        {"sub": "7\n8"},
        {"sub": "x" * 129},
        {"scope": ["publish"]},
        {"scope": {"publish": True}},
        {"aud": "another service"},
    ],
)
def test_a_wrong_claim_is_refused(shared_server, claims):
    """Expired, not yet valid, or without a usable subject: refused, whoever signed it."""
    token = signed(shared_server, **claims)

    assert_refused(shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token)


@pytest.mark.parametrize("claim", ["exp", "sub"])
def test_a_missing_claim_is_refused(shared_server, claim):
    """`exp` and `sub` are required."""
    claims = {"sub": "7", "exp": int(time.time()) + 60}
    del claims[claim]
    text = _b64(b'{"alg":"HS256"}') + b"." + _b64(orjson.dumps(claims))
    key = shared_server.settings.jwt_secret.get_secret_value().encode()
    token = (text + b"." + _b64(hmac.new(key, text, hashlib.sha256).digest())).decode()

    assert_refused(shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"kid": "../../../../dev/null"},
        {"kid": "x' UNION SELECT 'key"},
        {"jku": "http://127.0.0.1:9/jwks.json"},
        {"x5u": "http://127.0.0.1:9/key.pem"},
        {"jwk": {"kty": "oct", "k": _b64(b"x" * 32).decode()}},
        {"alg": "HS512"},
        {"crit": ["exp"]},
        {"crit": ["kid"], "kid": "1"},
    ],
)
def test_a_wrong_secret_is_refused_whatever_the_headers_say(shared_server, headers):
    """kid, jwk, jku and x5u choose no key; another key than ours never signs for us."""
    token = forged(b"x" * 32, headers)

    assert_refused(shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token)


def test_an_unknown_critical_header_is_refused(shared_server):
    """A token of ours that demands what we don't implement is refused (RFC 7515, 4.1.11)."""
    token = signed(shared_server, {"crit": ["b65"], "b65": True})

    assert_refused(shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token)


def test_a_public_key_is_no_hmac_secret(start_server):
    """With a public key configured, a token signed by HMAC with its text is refused."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    server = start_server(jwt_public_key=public.decode())
    token = forged(public)

    assert_refused(server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token)


@pytest.mark.parametrize(
    "claims", [{}, {"iss": "evil", "aud": "tocsin"}, {"iss": "good"}, {"aud": "tocsin"}, {"iss": "good", "aud": "evil"}]
)
def test_configured_issuer_and_audience_are_required(start_server, claims):
    """With an issuer and an audience configured, tokens need both."""
    server = start_server(jwt_issuer="good", jwt_audience="tocsin")
    token = signed(server, **claims)
    good = signed(server, iss="good", aud=["other", "tocsin"])

    assert_refused(server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token)
    assert server.http.get(INBOX, headers={"Authorization": f"Bearer {good}"}).status_code == 200


@pytest.mark.parametrize("name", ["token", "access_token", "jwt", "auth"])
def test_a_token_elsewhere_is_not_looked_at(shared_server, name):
    """A good token in a query or a cookie opens nothing: both end in logs and in foreign requests."""
    token = shared_server.mint(7)
    with_cookie = shared_server.http.get(INBOX, headers={"Cookie": f"{name}={token}"})
    with_query = shared_server.http.get(INBOX, params={name: token})

    assert_refused(with_cookie, token)
    assert_refused(with_query, token)


def test_two_authorization_headers_are_refused(shared_server):
    """Which of two tokens counts would be anybody's guess."""
    token = shared_server.mint(7)
    answer = shared_server.http.get(INBOX, headers=[("Authorization", f"Bearer {token}")] * 2)

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"


def test_a_token_behind_the_body_is_none(shared_server):
    """Trailers are no headers: no proxy has looked at them (RFC 9110, section 6.5.1)."""
    answer = shared_server.raw(
        b"GET /api/notifications HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\nAuthorization: Bearer %b\r\n\r\n" % shared_server.mint(7).encode()
    )

    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "a" * 9000, "=.=.=", "%00.%00.%00", "a.b.c.d.e"])
def test_garbage_is_refused(shared_server, token):
    """What is no token at all is refused like a bad one, and not echoed."""
    assert_refused(
        shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"}), token if len(token) > 3 else None
    )


def test_no_token_reaches_the_log(shared_server, capfd, caplog):
    """Neither a good nor a bad token is logged."""
    good, bad = shared_server.mint(7), forged()
    with caplog.at_level("DEBUG"):
        for token in (good, bad):
            shared_server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"})
    out, err = capfd.readouterr()
    logged = out + err + "".join(record.getMessage() for record in caplog.records if record.name != "httpcore.http11")

    assert good not in logged
    assert bad not in logged
