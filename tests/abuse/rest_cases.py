"""Abuse of REST: tokens, authorization, bodies, limits, push."""

import base64
import gzip
import time
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from tests.abuse.case import INBOX, ORIGIN, Target, ask, case, told

SHOWN = "www-authenticate"
GOOD = {"user_id": "ann", "type": "t", "title": "t", "message": ""}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def with_token(target: Target, token: str) -> str:
    return told(await target.ask("GET", INBOX, headers={"Authorization": f"Bearer {token}"}))


def signed(target: Target, headers: dict[str, Any] | None = None, key: Any = None, alg: str = "HS256", **claims: Any):
    secret = target.server.settings.jwt_secret
    payload = {"sub": "ann", "exp": int(time.time()) + 60} | claims
    return jwt.encode(payload, key or secret.get_secret_value(), alg, headers=headers)


TOKENS = "Tokens"


@case(TOKENS, "no token")
async def no_token(target: Target) -> str:
    return told(await target.ask("GET", INBOX, headers={}), SHOWN)


@case(TOKENS, "a good token in the query or in a cookie")
async def elsewhere(target: Target) -> str:
    token = target.server.mint("ann")
    answers = [
        await target.ask("GET", INBOX, params={"token": token}, headers={}),
        await target.ask("GET", INBOX, headers={"Cookie": f"token={token}"}),
    ]
    (line,) = {told(answer) for answer in answers}
    return line


@case(TOKENS, "`alg: none`, in any spelling, signed or not")
async def unsigned(target: Target) -> str:
    body = b64(orjson.dumps({"sub": "ann", "exp": int(time.time()) + 60}))
    lines = {
        await with_token(target, f"{b64(orjson.dumps({'alg': alg, 'typ': 'JWT'}))}.{body}.{signature}")
        for alg in ("none", "None", "nOnE", "")
        for signature in ("", "AAAA")
    }
    (line,) = lines
    return line


@case(TOKENS, "signed by another secret, or by another family of algorithm")
async def other_key(target: Target) -> str:
    tokens = [signed(target, key="x" * 40), signed(target, key=ec.generate_private_key(ec.SECP256R1()), alg="ES256")]
    (line,) = {await with_token(target, token) for token in tokens}
    return line


@case(TOKENS, "`jku`, `x5u`, `jwk` or `kid` that point to the attacker's key")
async def own_key(target: Target) -> str:
    headers = [
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/key.pem"},
        {"jwk": {"kty": "oct", "k": b64(b"x" * 40)}},
        {"kid": "../../dev/null"},
    ]
    (line,) = {await with_token(target, signed(target, one, key="x" * 40)) for one in headers}
    return line


@case(TOKENS, "an unknown `crit`")
async def critical(target: Target) -> str:
    return await with_token(target, signed(target, {"crit": ["b65"], "b65": True}))


@case(TOKENS, "expired, not yet valid, without `exp` or with a `sub` that is no text")
async def wrong_claims(target: Target) -> str:
    key = target.server.settings.jwt_secret.get_secret_value()
    tokens = [
        signed(target, exp=1),
        signed(target, nbf=4_000_000_000),
        jwt.encode({"sub": "ann"}, key, "HS256"),
        jwt.encode({"sub": 7, "exp": int(time.time()) + 60}, key, "HS256"),
    ]
    (line,) = {await with_token(target, token) for token in tokens}
    return line


@case(TOKENS, "a refresh token")
async def refresh(target: Target) -> str:
    return await with_token(target, signed(target, type="refresh"))


@case(TOKENS, "a token that was revoked")
async def revoked(target: Target) -> str:
    token = target.server.mint("ann", jti="stolen")
    await target.post({"jti": "stolen"}, "/api/sessions/revoke")
    return await with_token(target, token)


@case(TOKENS, "two `Authorization` headers")
async def two_headers(target: Target) -> str:
    value = f"Bearer {target.server.mint('ann')}"
    return told(await target.ask("GET", INBOX, headers=[("Authorization", value)] * 2))


@case(TOKENS, "8 KB of anything as a token")
async def long_token(target: Target) -> str:
    return await with_token(target, "x" * 8_193)


ORIGINS = "Web pages of others"


@case(ORIGINS, "a page of a foreign origin calls REST, with a good token")
async def foreign_page(target: Target) -> str:
    headers = {**target.server.bearer("ann"), "Origin": ORIGIN}
    return told(await target.ask("GET", INBOX, headers=headers), "access-control-allow-origin")


@case(ORIGINS, "its preflight")
async def preflight(target: Target) -> str:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    return told(await target.ask("OPTIONS", INBOX, headers=headers), "access-control-allow-origin")


@case(ORIGINS, "`Origin: null`, and one that begins or ends as the server's own")
async def tricks(target: Target) -> str:
    own = target.server.url
    lines = set()
    for origin in (
        "null",
        f"{own}.evil.example",
        f"{own}0",
        f"https://evil.example/{own}",
        own.replace("http", "https"),
    ):
        lines.add(told(await target.ask("GET", INBOX, headers={**target.server.bearer("ann"), "Origin": origin})))
    (line,) = lines
    return line


@case(ORIGINS, "it frames a page, or guesses a type")
async def framed(target: Target) -> str:
    return told(await target.ask("GET", INBOX), "content-security-policy", "x-content-type-options")


OTHERS = "What is another's"


@case(OTHERS, "reading, marking, changing or deleting another user's notification")
async def anothers(target: Target) -> str:
    id_ = await target.made("bob")
    answers = [
        await target.ask("GET", f"{INBOX}/{id_}"),
        await target.ask("PUT", f"{INBOX}/{id_}/read"),
        await target.ask("PATCH", f"{INBOX}/{id_}", json={"archived": True}),
        await target.ask("DELETE", f"{INBOX}/{id_}"),
    ]
    (line,) = {told(answer) for answer in answers}
    return line


@case(OTHERS, "an id that does not exist, which must look the same")
async def missing(target: Target) -> str:
    return told(await target.ask("GET", f"{INBOX}/0199a0a0-0000-7000-8000-000000000000"))


@case(OTHERS, "publishing, or ending sessions, with a user's token")
async def no_scope(target: Target) -> str:
    answers = [
        await target.ask("POST", INBOX, json=GOOD),
        await target.ask("POST", "/api/sessions/revoke", json={"user_id": "bob"}),
    ]
    (line,) = {told(answer) for answer in answers}
    return line


@case(OTHERS, "sender, time or id in a body")
async def smuggled(target: Target) -> str:
    lines = set()
    for name, value in {"id": "x", "created_at": "2020-01-01T00:00:00Z", "from_user_id": "bob", "seq": 1}.items():
        lines.add(told(await target.post(GOOD | {name: value})))
    (line,) = lines
    return line


@case(OTHERS, "another user's id in the query")
async def other_user(target: Target) -> str:
    return told(await target.ask("GET", INBOX, params={"user_id": "bob"}))


BODIES = "Bodies"


@case(BODIES, "a wrong type, an unknown field, a missing one, a list for an object")
async def wrong_type(target: Target) -> str:
    bodies: list[Any] = [GOOD | {"title": 7}, GOOD | {"isAdmin": True}, {"user_id": "ann"}, [GOOD]]
    (line,) = {told(await target.post(body)) for body in bodies}
    return line


async def raw(target: Target, content: bytes, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"Content-Type": "application/json", **target.server.bearer("shop", "publish"), **named}
    return told(await target.ask("POST", INBOX, content=content, headers=sent))


@case(BODIES, "`NaN`, a lone surrogate, UTF-16, half a body, nothing")
async def no_json(target: Target) -> str:
    bodies = [b'{"title":NaN}', b'{"title":"\\ud800"}', '{"title":"x"}'.encode("utf-16"), b'{"title":', b"\xff"]
    (line,) = {await raw(target, body) for body in bodies}
    return line


@case(BODIES, "nested 100,000 deep")
async def deep(target: Target) -> str:
    return await raw(target, b"[" * 100_000 + b"]" * 100_000)


@case(BODIES, "nested 100 deep in `data`")
async def deep_data(target: Target) -> str:
    data: Any = {}
    for _ in range(100):
        data = {"x": data}
    return told(await target.post(GOOD | {"data": data}))


@case(BODIES, "more than 1 MB")
async def huge(target: Target) -> str:
    return await raw(target, b" " * 1_000_001)


@case(BODIES, "compressed (a bomb), or of another type")
async def compressed(target: Target) -> str:
    lines = {
        await raw(target, gzip.compress(b" " * 1_000_000), Content_Encoding="gzip"),
        await raw(target, b"title=x", Content_Type="application/x-www-form-urlencoded"),
    }
    (line,) = lines
    return line


@case(BODIES, "`<script>` in a title")
async def script(target: Target) -> str:
    text = "<script>alert(1)</script>"
    made = (await target.post(GOOD | {"title": text})).json()["title"]
    return "201, kept as it came and shown as text" if made == text else f"changed: {made}"


@case(BODIES, "SQL in an id, a filter or a user id")
async def sql(target: Target) -> str:
    text = "x' OR '1'='1"
    listed = await target.ask("GET", INBOX, params={"category": text}, headers=target.server.bearer(text))
    found = len(listed.json()["notifications"])
    return f"{listed.status_code} with {found} notifications; {told(await target.ask('GET', f'{INBOX}/{text}'))}"


@case(BODIES, "a wrong method; `..` and a NUL in a path")
async def paths(target: Target) -> str:
    answers = [
        told(await target.ask("PUT", INBOX)),
        told(await target.ask("GET", "/js/..%2f..%2fsettings.py")),
        told(await target.ask("GET", f"{INBOX}/a%00b")),
    ]
    return "; ".join(dict.fromkeys(answers))


LIMITS = "Too much over REST"


@case(LIMITS, "more requests than a user may make")
async def many(target: Target) -> str:
    for _ in range(4):
        await ask(target.strict, "GET", INBOX)
    answer = await ask(target.strict, "GET", INBOX)
    return told(answer, "ratelimit-policy") + (", `retry-after`" if "retry-after" in answer.headers else "")


@case(LIMITS, "guesses at tokens from one address")
async def guesses(target: Target) -> str:
    headers = {"X-Forwarded-For": "203.0.113.7", "Authorization": "Bearer guess"}
    lines = [told(await ask(target.strict, "GET", INBOX, headers=headers)) for _ in range(10)]
    return ", then ".join(dict.fromkeys(lines))


PUSH = "Push"


async def subscribe(target: Target, endpoint: str) -> str:
    keys = {"p256dh": b64(b"\x04" + bytes(64)), "auth": b64(bytes(16))}
    return told(await target.ask("POST", "/api/webpush/subscriptions", json={"endpoint": endpoint, "keys": keys}))


@case(PUSH, "an endpoint inside the server's network, of another scheme, port or host, or with a password")
async def ssrf(target: Target) -> str:
    endpoints = [
        "http://fcm.googleapis.com/x",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://user:password@fcm.googleapis.com/x",
        "file:///etc/passwd",
    ]
    (line,) = {await subscribe(target, endpoint) for endpoint in endpoints}
    return line


@case(PUSH, "a topic or a device token that breaks Firebase's rules")
async def fcm(target: Target) -> str:
    answers = [
        await target.ask("POST", "/api/fcm/subscribe-topic", json={"topic": "a b/../c"}),
        await target.ask("POST", "/api/fcm/register-device", json={"token": "x" * 5_000, "platform": "web"}),
    ]
    (line,) = {told(answer) for answer in answers}
    return line


@case(PUSH, "a receipt that was not given to this browser")
async def receipt(target: Target) -> str:
    body = {"receipt": "forged", "event": "shown"}
    return told(await target.ask("POST", "/api/webpush/receipts", json=body, headers={}))
