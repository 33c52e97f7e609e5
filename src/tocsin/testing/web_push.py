"""
A push service that reaches nobody: the services of Mozilla, Google, Apple on loopback, and the browsers behind it.

    with FakePushService() as service:
        settings = {"webpush_hosts": service.host}
        browser = service.subscribe()
        # POST browser.subscription to /api/webpush/subscriptions, then push to its user.
        assert browser.wait().payload["title"] == "Order shipped"

It checks what push services check, the signature (RFC 8292), TTL and size, and what
browsers do: it decrypts (RFC 8291), by code of its own.
"""

import asyncio
import itertools
import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.domain.web_push import from_base64url, to_base64url
from tocsin.testing.loopback import LoopbackServer

_MAX_BYTES = 4_096
_MAX_LIFE_S = 24 * 3_600
_VAPID = re.compile(r"vapid t=([A-Za-z0-9._-]+), ?k=([A-Za-z0-9_-]+)")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """
    What a push service says to a push.

    Attributes:
        status: Of HTTP.
        headers: More of them.
        body: As it is.
        behaviour: ``hang`` never answers, ``cut`` closes the connection, ``junk`` answers what is no HTTP.
    """

    status: int = 201
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    behaviour: Literal["answer", "hang", "cut", "junk"] = "answer"

    def after(self, retry_after: float | str) -> "PushAnswer":
        """Return the same with a ``Retry-After``."""
        return replace(self, headers={**self.headers, "Retry-After": str(retry_after)})


TAKEN = PushAnswer()
NOT_FOUND = PushAnswer(404)
GONE = PushAnswer(410)
TOO_BIG = PushAnswer(413)
TOO_MANY = PushAnswer(429)
BROKEN = PushAnswer(500)
UNAVAILABLE = PushAnswer(503)
HANG = PushAnswer(behaviour="hang")
CUT = PushAnswer(behaviour="cut")
JUNK = PushAnswer(behaviour="junk")


def redirect(location: str) -> PushAnswer:
    """Return an answer that leads elsewhere."""
    return PushAnswer(307, {"Location": location})


@dataclass(frozen=True, slots=True)
class ReceivedPush:
    """
    A push as a browser's service worker has it.

    Attributes:
        payload: The JSON.
        size: Bytes on the wire, encrypted.
        ttl_s: How long it would have been kept.
        urgency: ``very-low``, ``low``, ``normal`` or ``high``.
        topic: What it replaces; None: nothing.
        claims: Of the sender's token.
    """

    payload: Any
    size: int
    ttl_s: int
    urgency: str
    topic: str | None
    claims: dict[str, Any]


class FakeBrowser:
    """
    A browser that has subscribed. Safe from any thread.

    Attributes:
        subscription: What ``PushSubscription.toJSON()`` gives in a page.
        pushes: What it got, in order.
    """

    def __init__(self, endpoint: str, application_server_key: str | None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self._public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.application_server_key = application_server_key
        self.subscription: dict[str, Any] = {
            "endpoint": endpoint,
            "expirationTime": None,
            "keys": {"p256dh": to_base64url(self._public), "auth": to_base64url(self._auth)},
        }
        self.pushes: list[ReceivedPush] = []
        self._arrival = threading.Condition()

    @property
    def endpoint(self) -> str:
        """Return the URL that pushes to it."""
        return str(self.subscription["endpoint"])

    def wait(self, count: int = 1, timeout_s: float = 20.0) -> ReceivedPush:
        """
        Return push number ``count``, as soon as it has come.

        Raises:
            TimeoutError: It has not.
        """
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.pushes) >= count, timeout_s):
                raise TimeoutError(f"{len(self.pushes)} pushes came, {count} were waited for")
            return self.pushes[count - 1]

    def decrypt(self, body: bytes) -> bytes:
        """
        Return what was encrypted to this browser (RFC 8188, 8291).

        Raises:
            ValueError: It was not, or not so.
        """
        return decrypt(body, self._key, self._auth)

    def _receive(self, push: ReceivedPush) -> None:
        with self._arrival:
            self.pushes.append(push)
            self._arrival.notify_all()


def decrypt(body: bytes, key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """
    Return the plain text of one record of ``aes128gcm``, as Web Push has them.

    Raises:
        ValueError: It is not encrypted to this key.
    """
    salt, record_size, length = body[:16], int.from_bytes(body[16:20]), body[20] if len(body) > 20 else 0
    sender, record = body[21 : 21 + length], body[21 + length :]
    if length != 65 or not 18 <= len(record) <= record_size:
        raise ValueError("is not one record of aes128gcm with a key of P-256")
    own = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    secret = _derived(auth, shared, b"WebPush: info\0" + own + sender, 32)
    content_key = _derived(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, secret, b"Content-Encoding: nonce\0", 12)
    try:
        padded = AESGCM(content_key).decrypt(nonce, record, None)
    except InvalidTag:
        raise ValueError("is not encrypted to this browser") from None
    plain, delimiter, _ = padded.rstrip(b"\0").rpartition(b"\x02")
    if not delimiter:
        raise ValueError("is not the last record")
    return plain


def _derived(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class FakePushService(LoopbackServer):
    """
    A push service in a thread of this process; a context manager. Safe from any thread.

    Attributes:
        host: For the setting ``webpush_hosts``: an address of loopback with its port.
        url: Its origin.
        requests: How many pushes it was asked to take.
        refusals: What was wrong with those that it refused by itself.
    """

    def __init__(self) -> None:
        super().__init__("fake-push")
        self.requests = 0
        self.refusals: list[str] = []
        self._browsers: dict[str, FakeBrowser] = {}
        self._once: dict[str, deque[PushAnswer]] = {}
        self._always: dict[str, PushAnswer] = {}
        self._for_all = TAKEN
        self._numbers = itertools.count(1)

    # From any thread

    def subscribe(self, application_server_key: str | None = None) -> FakeBrowser:
        """
        Return a new browser.

        Args:
            application_server_key: The only key that may push to it, base64url; None: any.
        """
        path = f"/push/{next(self._numbers)}-{to_base64url(os.urandom(24))}"
        browser = self._browsers[path] = FakeBrowser(f"{self.url}{path}", application_server_key)
        return browser

    def answer(self, browser: FakeBrowser, *answers: PushAnswer) -> None:
        """Say what the next pushes to a browser get, one after another; then what all get."""
        self._once.setdefault(self._path(browser), deque()).extend(answers)

    def always(self, browser: FakeBrowser, answer: PushAnswer) -> None:
        """Say what every push to a browser gets."""
        self._always[self._path(browser)] = answer

    def answer_all(self, answer: PushAnswer) -> None:
        """Say what every push gets that nothing else was said for."""
        self._for_all = answer

    def _path(self, browser: FakeBrowser) -> str:
        return browser.endpoint.removeprefix(self.url)

    # In its thread

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests += 1
        answer = self._next_answer(path)
        if answer.behaviour == "hang":
            await self._down.wait()
        if answer.behaviour == "junk":
            writer.write(b"\0 this is no HTTP \0\r\n\r\n")
        if answer.behaviour != "answer":
            return False
        if answer.status < 300:
            try:
                self._take(method, path, headers, body)
            except _Refused as refusal:
                self.refusals.append(str(refusal))
                answer = PushAnswer(refusal.status)
        more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = f"HTTP/1.1 {answer.status} As told\r\n{more}Content-Length: {len(answer.body)}\r\n\r\n"
        writer.write(head.encode() + answer.body)
        await writer.drain()
        return True

    def _next_answer(self, path: str) -> PushAnswer:
        if self._once.get(path):
            return self._once[path].popleft()
        return self._always.get(path, self._for_all)

    def _take(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        browser = self._browsers.get(path)
        if browser is None or method != "POST":
            raise _Refused(404, "there is no such browser")
        if len(body) > _MAX_BYTES:
            raise _Refused(413, f"{len(body)} bytes are too many")
        if not headers.get("ttl", "").isdigit():
            raise _Refused(400, "there is no TTL")
        topic, urgency = headers.get("topic"), headers.get("urgency", "normal")
        if topic is not None and not _TOPIC.fullmatch(topic):
            raise _Refused(400, "the Topic is no token of 32 characters")
        if urgency not in _URGENCIES:
            raise _Refused(400, "there is no such Urgency")
        claims = self._verify(headers.get("authorization", ""), browser)
        if headers.get("content-encoding") != "aes128gcm":
            raise _Refused(415, "is not encrypted as aes128gcm")
        try:
            payload = json.loads(browser.decrypt(body))
        except ValueError as error:
            raise _Refused(400, str(error)) from None
        browser._receive(ReceivedPush(payload, len(body), int(headers["ttl"]), urgency, topic, claims))  # noqa: SLF001 its own

    def _verify(self, authorization: str, browser: FakeBrowser) -> dict[str, Any]:
        found = _VAPID.fullmatch(authorization)
        if found is None:
            raise _Refused(401, "there is no vapid token")
        token, key = found.groups()
        if browser.application_server_key not in {None, key}:
            raise _Refused(403, "the browser subscribed with another key")
        try:
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(key))
            claims: dict[str, Any] = jwt.decode(token, public, ["ES256"], audience=self.url)
        except (ValueError, jwt.InvalidTokenError) as error:
            raise _Refused(403, f"the vapid token is wrong: {error}") from None
        if claims["exp"] - time.time() > _MAX_LIFE_S:
            raise _Refused(403, "the vapid token lives for more than 24 h")
        return claims
