"""
REST as a whole, without HTTP: whatever stands in path, query, headers and body, the answer is never 5xx.

An input is lines: who asks, method and target; ``Idempotency-Key``; the body.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jwt
import orjson
from pydantic import SecretStr

from fuzz.stage import Ear
from fuzz.target import Target
from tocsin import Settings, build
from tocsin.rest.endpoint import Endpoint

SECRET = "a secret for fuzzers, of more than thirty-two bytes"
_SCOPES = {b"u": "", b"p": "publish", b"a": "admin", b"b": "publish admin"}
_CALL_S = 20.0
_UNLIMITED = "999999999 per second"
# What would end the tokens of everybody who asks here.
_SPARED = "/api/sessions/revoke"
# Memory-backed where there is such: a commit to a disk is most of a request.
_SHM = Path("/dev/shm")


class World:
    """A service that listens nowhere, on a database of its own."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=_SHM if _SHM.is_dir() else None)
        self._loop = asyncio.new_event_loop()
        settings = Settings(
            database_url=f"sqlite:///{self._folder.name}/fuzz.db",
            jwt_secret=SecretStr(SECRET),
            limit_address_connections=0,
            limit_user_requests=_UNLIMITED,
            limit_address_requests=_UNLIMITED,
            limit_publisher_requests=_UNLIMITED,
        )
        self._service = build(settings)
        self._loop.run_until_complete(self._service.start())
        expires = int(time.time()) + 7 * 24 * 3_600
        self._tokens = {
            who: jwt.encode({"sub": "7", "exp": expires, "scope": scope}, SECRET, "HS256").encode()
            for who, scope in _SCOPES.items()
        }
        self.ear = Ear()

    def ask(
        self, who: bytes, method: str, target: bytes, key: bytes, body: bytes
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """Return status, headers and body of an answer."""
        headers = [(b"host", b"api.example"), (b"content-type", b"application/json")]
        if who in self._tokens:
            headers.append((b"authorization", b"Bearer " + self._tokens[who]))
        if key:
            headers.append((b"idempotency-key", key))
        if body:
            headers.append((b"content-length", b"%d" % len(body)))
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "root_path": "",
            "query_string": query,
            "headers": headers,
            "client": ("203.0.113.5", 50_000),
            "scheme": "http",
            "state": {},
        }
        return self._loop.run_until_complete(self._answer(scope, body))

    async def _answer(self, scope: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        incoming = [{"type": "http.request", "body": body}]
        answers: list[MutableMapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if incoming:
                return incoming.pop()
            await asyncio.Event().wait()
            raise AssertionError("nobody hangs up")

        async def send(message: MutableMapping[str, Any]) -> None:
            answers.append(message)

        async with asyncio.timeout(_CALL_S):
            await self._service.rest(scope, receive, send)
        body = b"".join(answer.get("body", b"") for answer in answers[1:])
        return answers[0]["status"], dict(answers[0]["headers"]), body

    def routes(self) -> Iterator[tuple[str, str]]:
        """Yield method and path of every route of the API."""
        for route in self._service.rest.routes:
            if isinstance(route, Endpoint):
                yield from ((method, route.path) for method in sorted(route.methods or ()))

    def close(self) -> None:
        """End it and delete its database."""
        self._loop.run_until_complete(self._service.stop())
        self._loop.close()
        self._folder.cleanup()


_worlds: list[World] = []


def world() -> World:
    """Return the one of this process; the first call makes it."""
    if not _worlds:
        _worlds.append(World())
    return _worlds[0]


def close() -> None:
    """End it."""
    while _worlds:
        _worlds.pop().close()


def run(data: bytes) -> None:
    """Ask, and judge the answer."""
    first, _, rest = data.partition(b"\n")
    key, _, body = rest.partition(b"\n")
    method, _, target = first[1:].partition(b" ")
    # What an HTTP parser lets through.
    if not (method.isalpha() and method.isupper() and method.isascii()) or not target.startswith(b"/"):
        return
    if any(not 0x21 <= byte <= 0x7E for byte in target) or any(byte < 0x20 or byte == 0x7F for byte in key):
        return
    if unquote(target.decode()).startswith(_SPARED):
        return
    status, headers, content = world().ask(first[:1], method.decode(), target, key.strip(b" "), body)
    assert 200 <= status < 500 or status == 501, (
        f"{method.decode()} {target.decode()} was answered {status}: {content!r}"
    )
    assert headers.get(b"x-content-type-options") == b"nosniff"
    if status >= 400 and content and method != b"HEAD":
        assert headers[b"content-type"] == b"application/problem+json", headers
        problem = orjson.loads(content)
        assert problem["status"] == status
        assert problem["code"]
    elif headers.get(b"content-type") == b"application/json":
        orjson.loads(content)


_BODIES = (
    b'{"user_id":7,"type":"t","title":"T","message":"m"}',
    b'{"user_ids":[7,"a"],"type":"t","title":"T","message":"m","data":{"a":[1]},"category":"c","priority":"high",'
    b'"sound":"s","ttl_s":60,"claimable":true}',
    b'{"topic":"news","type":"t","template":"x","params":{"a":1},"group":{"key":"k","actor":{"id":8,"name":"n"}}}',
    b'{"user_id":7,"type":"t","title":"T","message":"","expires_at":"2099-01-01T00:00:00Z","deliver_at":"2099-01-01T00:00+09:00"}',
)
_SEEDS = (
    *(b"pPOST /api/notifications\nkey-%d\n" % number + body for number, body in enumerate(_BODIES)),
    b"uGET /api/notifications?limit=5&unread=true&category=c&cursor=AAAAAAAAAAE\n\n",
    b'uPATCH /api/notifications/0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3\n\n{"seen":true,"archived":false}',
    b'uPOST /api/notifications/read-all\n\n{"category":"c"}',
    b"uPUT /api/notifications/x/read\n\n",
    b"uGET /api/notifications/stats\n\n",
    b'pPOST /api/events\n\n{"namespace":"/orders","event":"order_updated","user_id":7,"data":{"order_id":1}}',
    b"uGET /api/stream/notifications?after=0&limit=3\n\n",
    b'uPUT /api/preferences\n\n{"categories":{"*":{"toast":false,"sound":false,"digest":"daily"}},"quiet_hours":'
    b'{"from":"22:00","until":"07:00","time_zone":"Asia/Seoul"},"digest_hour":9,"locale":"ko"}',
    b'pPUT /api/templates/x\n\n{"locale":"en","title":"{{ a }}","message":"{% if b %}c{% endif %}"}',
    b'uPOST /api/fcm/register-device\n\n{"token":"abc","platform":"web","device_name":"d"}',
    b'uPOST /api/fcm/subscribe-topic\n\n{"topic":"news"}',
    b'uPOST /api/webpush/subscriptions\n\n{"endpoint":"https://fcm.googleapis.com/x","keys":{"p256dh":"B","auth":"A"}}',
    b'uPOST /api/chat/messages\n\n{"to_user_id":8,"message":"","client_msg_id":"0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3"}',
    b"uGET /api/chat/messages?with=8&limit=2\n\n",
    b'uPOST /api/e2ee/keys\n\n{"device_id":"d","device_keys":{},"one_time_keys":{"signed_curve25519:AAAA":{}}}',
    b'uPOST /api/e2ee/keys/query\n\n{"user_ids":[7,8]}',
    b'uPOST /api/e2ee/to-device\n\n{"device_id":"d1","type":"","messages":[{"user_id":7,"device_id":"","content":{}}]}',
    b"uGET /api/e2ee/inbox?device_id=d1&after=0\n\n",
    b'uPOST /api/channels\n\n{"url":"mailto://x","name":"n"}',
    b'uPATCH /api/chat/messages/0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3\n\n{"message":"x"}',
    b"uGET /api/chat/presence?user_ids=7,8\n\n",
    b'uPOST /api/webpush/receipts\n\n{"receipt":"a.b","event":"shown"}',
    b"nGET /healthz\n\n",
    b"uGET /api/users/7/export\n\n",
    b"bDELETE /api/users/9\n\n",
    b"bGET /api/users/9/erasure\n\n",
    b"bGET /api/admin/overview\n\n",
    b"bGET /api/admin/sessions?limit=3\n\n",
    b"bDELETE /api/admin/sessions/x\n\n",
    b"bGET /api/admin/user?user_id=7\n\n",
    b"bGET /api/admin/notifications?user_id=7\n\n",
    b'bPOST /api/admin/test\n\n{"user_id":7}',
    b"nGET /metrics\n\n",
)
TARGET = Target(
    run=run,
    watched=[
        *(f"tocsin.rest.{name}" for name in ("endpoint", "callers", "models", "inbox_models", "chat_models", "e2ee")),
        *(
            f"tocsin.rest.{name}"
            for name in ("notifications", "preferences", "templates", "streams", "web_push_models")
        ),
        *("tocsin.rest.channels", "tocsin.rest.chat", "tocsin.rest.fcm", "tocsin.rest.problems", "tocsin.rest.edge"),
    ],
    seeds=_SEEDS,
    words=[
        *(
            b"/api/notifications",
            b"/api/chat/",
            b"/api/e2ee/",
            b"/api/fcm/",
            b"/api/webpush/",
            b"/api/preferences",
            b"/api/admin/",
            b"/api/users/",
        ),
        *(
            b'"user_id":',
            b'"data":{',
            b'"\\ud800"',
            b'"\\u0000"',
            b"%00",
            b"%ff",
            b"1e400",
            b"NaN",
            b"&limit=",
            b"&cursor=",
        ),
        *(b"9223372036854775807", b"-1", b"[[[[[[[[", b"null", b"0001-01-01T00:00:00+14:00", b"\xff"),
    ],
    close=close,
)
