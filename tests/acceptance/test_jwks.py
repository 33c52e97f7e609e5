"""Keys of a token issuer over real connections: security.md, "Tokens"."""

import asyncio
import base64
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from tests.acceptance.wire_socket import Refused, connected, eventually, wire
from tests.jwks_server import ISSUER, issuer, send
from tocsin.adapters import jwks as key_sets
from tocsin.adapters import jwks_fetch

INBOX = "/api/notifications"


@pytest.fixture
def idp():
    with issuer() as one:
        one.add_key("a")
        yield one


@pytest.fixture
def eager(monkeypatch):
    """Let every unknown kid ask at once."""
    monkeypatch.setattr(key_sets, "LEAST_BETWEEN_S", 0.0)


@pytest.fixture
def impatient(eager, monkeypatch):
    """Wait half a second for an answer."""
    monkeypatch.setitem(jwks_fetch.fetch.__kwdefaults__, "deadline_s", 0.5)


def serve(start_server, idp, **settings):
    return start_server(jwt_secret=None, jwks_url=idp.url, jwt_issuer=ISSUER, **settings)


def ask(server, token):
    return server.http.get(INBOX, headers={"Authorization": f"Bearer {token}"})


def fetched(server, least=1):
    """Wait until the issuer has been asked and its answer taken."""
    keys = server.service._key_set
    deadline = time.monotonic() + 20
    while keys.fetches < least or keys._asking is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return keys


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_tokens_of_the_issuer_are_accepted(start_server, idp, algorithm):
    """RSA, EC and Ed25519 keys of the set verify what they signed, from the first request on."""
    idp.add_key("b", algorithm)
    server = serve(start_server, idp)

    assert 200 == ask(server, idp.mint("b")).status_code
    assert {"/keys?v=1"} == set(idp.paths)


async def test_sockets_take_them_as_well(start_server, idp, eager):
    """A socket whose token has a new key waits for it, and so does a newer token of a live one."""
    server = serve(start_server, idp)
    fetched(server)
    idp.add_key("b")
    idp.delay_s = 0.2
    async with wire(server.url) as socket:
        await socket.connect("/orders", {"token": idp.mint("b")})
        await socket.until("/orders", "synced")
        idp.add_key("c")

        assert (await socket.ask("/orders", "reauth", {"token": idp.mint("c")}))["ok"]
    async with wire(server.url) as socket:
        with pytest.raises(Refused, match="unknown key"):
            await socket.connect("/chat", {"token": idp.mint("a", headers={"kid": "z"})})


def test_rotation_works_live(start_server, idp, eager):
    """A new key is found by the first token that it signed; a key that was taken out verifies nothing more."""
    server = serve(start_server, idp)
    old = idp.mint("a")
    assert 200 == ask(server, old).status_code
    idp.add_key("b")
    assert 200 == ask(server, idp.mint("b")).status_code
    assert 200 == ask(server, old).status_code
    idp.drop_key("a")
    server.call(server.service._key_set.look())

    refused = ask(server, old)

    assert (401, "unauthenticated") == (refused.status_code, refused.json()["code"])
    assert 200 == ask(server, idp.mint("b")).status_code


@pytest.mark.parametrize(("kid", "algorithm"), [("a", "ES256"), ("a", "RS256"), (None, "ES256")])
def test_a_key_that_is_replaced_under_its_name_is_found(start_server, idp, eager, kid, algorithm):
    """Not every issuer gives its next key another name; the first token that it signed asks for it."""
    server = serve(start_server, idp)
    old = idp.mint("a", headers={"kid": kid})
    assert 200 == ask(server, old).status_code
    idp.add_key("a", algorithm)

    assert 200 == ask(server, idp.mint("a", headers={"kid": kid})).status_code
    assert 401 == ask(server, old).status_code


def test_wrong_signatures_cause_no_storm(start_server, idp, monkeypatch):
    """However many come, the issuer is asked once in a while."""
    monkeypatch.setattr(key_sets, "LEAST_BETWEEN_S", 3_600.0)
    server = serve(start_server, idp)
    good = idp.mint("a")
    assert 200 == ask(server, good).status_code
    head, _, signature = good.rpartition(".")
    tokens = [f"{head}.{signature[:-8]}{number:08}" for number in range(300)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda token: ask(server, token), tokens))

    assert {401} == {answer.status_code for answer in answers}
    assert 1 == len(idp.paths)
    assert 200 == ask(server, good).status_code


def test_unknown_kids_cause_no_storm(start_server, idp):
    """A thousand tokens with made-up kids, twenty at a time, make the issuer be asked once more at most."""
    server = serve(start_server, idp)
    assert 200 == ask(server, idp.mint("a")).status_code
    tokens = [idp.mint("a", headers={"kid": f"made-up-{number}"}) for number in range(1_000)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda token: ask(server, token), tokens))

    assert {401} == {answer.status_code for answer in answers}
    assert len(idp.paths) <= 2


def test_those_who_wait_wait_together(start_server, idp, eager):
    """One request to the issuer serves all whose key is unknown."""
    server = serve(start_server, idp)
    before = fetched(server).fetches
    idp.add_key("b")
    idp.delay_s = 1.0
    token = idp.mint("b")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(server, token).status_code, range(20)))

    assert [200] * 20 == answers
    assert before + 1 == server.service._key_set.fetches


def _hang(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    request.wfile.flush()
    time.sleep(2.0)


def _drip(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100):
        request.wfile.write(b"{")
        request.wfile.flush()
        time.sleep(0.05)


def _huge(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(10_000):
        request.wfile.write(b" " * 65_536)


def _huge_head(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        request.wfile.write(b"X-%d: %s\r\n" % (number, b"x" * 1_000))


def _upgrade(request):
    request.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")


def _deep_key(request):
    """A good key, and beside it what can be read and not be written again."""
    key = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()).encode()
    send(request, 200, b'{"keys": [' + key[:-1] + b', "more": ' + b"[" * 500 + b"]" * 500 + b"}]}")


MISBEHAVIOURS = {
    "another protocol": _upgrade,
    "a key too deep": _deep_key,
    "500": lambda request: send(request, 500, b"oops"),
    "204": lambda request: send(request, 204),
    "redirect": lambda request: send(request, 302, Location="/elsewhere"),
    "garbage": lambda request: send(request, 200, b"\xff\xfe<html>"),
    "another shape": lambda request: send(request, 200, b'[{"keys": 1}]'),
    "no keys": lambda request: send(request, 200, b'{"keys": []}'),
    "too many keys": lambda request: send(request, 200, orjson.dumps({"keys": [{}] * 65})),
    "no HTTP": lambda request: request.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n"),
    "hangs up": lambda request: None,
    "deep": lambda request: send(request, 200, b"[" * 100_000),
    "hangs": _hang,
    "drips": _drip,
    "huge": _huge,
    "huge head": _huge_head,
}


@pytest.mark.parametrize("how", MISBEHAVIOURS)
def test_the_last_good_keys_survive_an_outage(start_server, idp, impatient, caplog, how):
    """Whatever the issuer answers, its last keys stay, others are refused in bounded time, and the next set counts."""
    server = serve(start_server, idp)
    assert 200 == ask(server, idp.mint("a")).status_code
    good = idp.mint("a", "8")
    idp.add_key("b")

    def answer(request):
        request.close_connection = True
        MISBEHAVIOURS[how](request)

    idp.answer = answer
    new = idp.mint("b")

    assert 401 == ask(server, new).status_code
    assert 200 == ask(server, good).status_code
    assert "/elsewhere" not in idp.paths
    assert "TOCSIN_JWKS_URL" in caplog.text
    assert new not in caplog.text
    idp.answer = None
    assert 200 == ask(server, new).status_code


def test_without_any_keys_tokens_may_come_again(start_server, idp):
    """An issuer that is down at the start is the server's fault, not the token's: 503, and it recovers."""
    idp.answer = lambda request: send(request, 500)
    server = serve(start_server, idp)
    fetched(server)

    refused = ask(server, idp.mint("a"))

    assert (503, "overloaded", True) == (refused.status_code, *(refused.json()[key] for key in ("code", "retryable")))
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    idp.answer = None
    server.call(server.service._key_set.look())
    assert 200 == ask(server, idp.mint("a")).status_code


def test_headers_of_the_token_choose_no_key(start_server, idp):
    """jku, x5u and jwk of a stranger are not looked at: no request leaves, nothing opens."""
    with issuer() as stranger:
        stranger.add_key("a")
        server = serve(start_server, idp)
        for headers in (
            {"jku": stranger.url},
            {"x5u": stranger.url},
            {"jwk": stranger.jwks[0]},
            {"kid": "../../etc/passwd"},
            {"kid": stranger.url},
            {"kid": "x' OR '1'='1"},
        ):
            assert 401 == ask(server, stranger.mint("a", headers=headers)).status_code

        assert [] == stranger.paths
        assert {"/keys?v=1"} == set(idp.paths)


def test_a_critical_header_is_refused(start_server, idp):
    """A token of the issuer that demands what we don't implement (RFC 7515, 4.1.11)."""
    server = serve(start_server, idp)

    assert 401 == ask(server, idp.mint("a", headers={"crit": ["b65"], "b65": True})).status_code


def test_a_key_keeps_to_its_algorithm(start_server, idp):
    """A public key is no HMAC secret, and one kind of key verifies no other kind's signature."""
    server = serve(start_server, idp)
    assert 200 == ask(server, idp.mint("a")).status_code
    public = idp._keys["a"][1].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"a"}').rstrip(b"=")
    claims = orjson.dumps({"sub": "7", "exp": int(time.time()) + 60, "iss": ISSUER})
    body = head + b"." + base64.urlsafe_b64encode(claims).rstrip(b"=")
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    for secret in (public, orjson.dumps(idp.jwks[0])):
        token = (body + b"." + base64.urlsafe_b64encode(hmac.sign(body, secret)).rstrip(b"=")).decode()
        assert 401 == ask(server, token).status_code
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"a"}').rstrip(b"=") + body[len(head) :] + b"."
    assert 401 == ask(server, none.decode()).status_code


def test_keys_for_something_else_are_passed_over(start_server, idp):
    """Symmetric, private, weak and encryption keys verify nothing, even when the issuer publishes them."""
    secret = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
    for kid in ("enc", "private", "ops"):
        idp.add_key(kid)
    enc, private, ops = idp.jwks[1:]
    private["d"] = jwt.algorithms.ECAlgorithm.to_jwk(idp._keys["private"][1], as_dict=True)["d"]
    tokens = [idp.mint(kid) for kid in ("enc", "private", "ops")]
    for kid in ("enc", "private", "ops"):
        idp.drop_key(kid)
    weak = ec.generate_private_key(ec.SECP256K1())
    idp.extra = [
        {"kty": "oct", "kid": "oct", "k": secret, "alg": "HS256"},
        enc | {"use": "enc"},
        private,
        ops | {"key_ops": ["encrypt"]},
        jwt.algorithms.ECAlgorithm.to_jwk(weak.public_key(), as_dict=True) | {"kid": "weak"},
        {"kty": "RSA", "kid": "broken", "n": "AQ", "e": "AQ"},
        {"kty": 7, "kid": []},
        "nonsense",
        None,
    ]
    server = serve(start_server, idp)
    oct_token = jwt.encode(
        {"sub": "7", "exp": int(time.time()) + 60, "iss": ISSUER}, b"s" * 32, "HS256", headers={"kid": "oct"}
    )

    assert 200 == ask(server, idp.mint("a")).status_code
    assert [401] * 4 == [ask(server, token).status_code for token in (*tokens, oct_token)]


def test_another_issuers_token_is_refused(start_server, idp):
    """Large providers sign for all their customers with the same keys: `iss` tells whose a token is."""
    server = serve(start_server, idp)

    assert 401 == ask(server, idp.mint("a", iss="https://id.example.com/other")).status_code


def test_a_token_without_kid_means_the_only_key(start_server, idp, eager):
    """With one key it is that; with two nobody may guess."""
    server = serve(start_server, idp)
    token = idp.mint("a", headers={"kid": None})
    assert 200 == ask(server, token).status_code
    idp.add_key("b")
    server.call(server.service._key_set.look())

    assert 401 == ask(server, token).status_code


async def test_one_slow_issuer_holds_nobody_else_up(start_server, idp, eager):
    """While a token waits for its key, others are answered and a client that leaves is forgotten."""
    server = serve(start_server, idp)
    fetched(server)
    good = idp.mint("a")
    idp.add_key("b")
    idp.delay_s = 1.5
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        slow = asyncio.create_task(http.get(INBOX, headers={"Authorization": f"Bearer {idp.mint('b')}"}))
        async with wire(server.url) as leaving:
            connecting = asyncio.create_task(leaving.connect("/chat", {"token": idp.mint("b", "9")}))
            await eventually(lambda: len(idp.paths) == 2)
            async with connected(server.url, "/orders", good):
                pass
            assert not slow.done()
        connecting.cancel()
        assert 200 == (await slow).status_code
    await eventually(lambda: server.service.realtime.stats["users"] == 0)
