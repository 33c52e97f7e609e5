"""
Sends to browsers by Web Push: RFC 8030 (the request), 8188 and 8291 (its encryption), 8292 (who sends).

pywebpush does the encryption and nothing else. Its ``webpush_async`` follows
redirects, resolves a name by itself, reads an answer to its end, and knows no
Topic: the request is made here, to the addresses that ``push_endpoints`` has
judged and to no others, whatever the environment says of proxies.
"""

import asyncio
import logging
import re
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from pywebpush import WebPusher  # type: ignore[import-untyped]
from yarl import URL

from tocsin.adapters.push_endpoints import NotAllowed, PushEndpoints
from tocsin.adapters.retry_after import retry_after_s
from tocsin.adapters.turns import Silent, Turns
from tocsin.adapters.vapid import VapidKeyring
from tocsin.domain.notification import Priority
from tocsin.domain.push import MAX_PAYLOAD_BYTES, Outcome, PushMessage, fitted, topic_of
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.web_push import WebPushSubscription, sign_receipt

VERSION = 1
# What encryption adds: salt, record size and key (86), delimiter and tag (17).
MAX_PLAIN_BYTES = MAX_PAYLOAD_BYTES - 86 - 17
SEND_S = 10.0
MAX_AT_ONCE = 64
# A service that hangs leaves the others the rest.
MAX_AT_ONE_SERVICE = 32
# What waits longer for its turn is told to come again: it has a place among all that is being pushed.
PATIENCE_S = 25.0
MAX_ANSWER_BYTES = 2_048

_URGENCY: dict[Priority, str] = {"low": "low", "normal": "normal", "high": "high", "urgent": "high"}
_REASON = re.compile(r"[A-Za-z]{1,40}")
_GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429})

_log = logging.getLogger(__name__)


class WebPushSender:
    """
    Implements ``PushSender`` for subscriptions of browsers. Belongs to the event loop's thread.

    A message carries a receipt for each browser, which its service worker gives
    back when it shows it: Apple answers 200 for browsers that are no more.

    Args:
        endpoints: Judges where a push may go, and resolves it.
        keyring: Signs.
    """

    def __init__(self, endpoints: PushEndpoints, keyring: VapidKeyring) -> None:
        self._endpoints = endpoints
        self._keyring = keyring
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        # By the origin of the service, as long as anything is sent there.
        self._turns_there: WeakValueDictionary[str, Turns] = WeakValueDictionary()
        self._encrypting = asyncio.Lock()

    async def start(self) -> None:
        """Make ready; nothing is sent and no key is made yet."""
        connector = aiohttp.TCPConnector(
            resolver=_JudgedResolver(self._endpoints),
            # What was judged a while ago is judged again for a new connection.
            use_dns_cache=False,
            limit=MAX_AT_ONCE,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=SEND_S),
            trust_env=False,
            auto_decompress=False,
        )

    async def stop(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, message: PushMessage, targets: Sequence[WebPushSubscription]) -> list[Outcome]:
        """Try each browser once."""
        key = (await self._keyring.keys()).receipt_key
        timestamp = iso(now_ms())
        receipts = [sign_receipt(key, target.id, message.notification_id) for target in targets]
        longest = max(receipts, key=len, default="")
        message = fitted(message, lambda one: len(_payload(one, timestamp, longest)), MAX_PLAIN_BYTES)
        headers = {
            "TTL": str(message.ttl_s),
            "Urgency": _URGENCY[message.priority],
            "Topic": topic_of(message.tag),
        }
        payloads = [_payload(message, timestamp, receipt) for receipt in receipts]
        return await self._send_all(targets, payloads, headers)

    async def retract(
        self, tags: Sequence[str], targets: Sequence[WebPushSubscription], *, ttl_s: int = 3_600
    ) -> list[Outcome]:
        """
        Take back from each browser what it still shows.

        Browsers show something of their own for a push that shows nothing, or drop
        the subscription: only for what they do show, and soon after.

        Args:
            tags: Those of the messages; as many as fit are sent.
            targets: The browsers.
            ttl_s: Seconds after which it is of no use.
        """
        fitting: list[str] = []
        for tag in tags:
            if len(_closing([*fitting, tag])) > MAX_PLAIN_BYTES:
                break
            fitting.append(tag)
        headers = {"TTL": str(ttl_s), "Urgency": "normal"}
        return await self._send_all(targets, [_closing(fitting)] * len(targets), headers)

    async def _send_all(
        self, targets: Sequence[WebPushSubscription], payloads: Sequence[bytes], headers: dict[str, str]
    ) -> list[Outcome]:
        return await asyncio.gather(
            *[self._send_one(target, payload, headers) for target, payload in zip(targets, payloads, strict=True)]
        )

    async def _send_one(self, target: WebPushSubscription, payload: bytes, headers: dict[str, str]) -> Outcome:
        # Of an error its kind alone is told: its text may hold the endpoint.
        try:
            async with asyncio.timeout(PATIENCE_S), self._turns_at(target.endpoint).take(), self._turns:
                return await self._post(target, payload, headers)
        except NotAllowed:
            return Outcome("refused", "endpoint not allowed")
        except TimeoutError:
            return Outcome("retry", "timeout")
        except Silent as silent:
            return Outcome("retry", str(silent))
        except aiohttp.InvalidURL:
            return Outcome("refused", "endpoint not allowed")
        except (aiohttp.ClientError, OSError) as error:
            return Outcome("retry", f"no connection ({type(error).__name__})")

    def _turns_at(self, endpoint: str) -> Turns:
        origin = "/".join(endpoint.split("/", 3)[:3])
        turns = self._turns_there.get(origin)
        if turns is None:
            turns = self._turns_there[origin] = Turns(MAX_AT_ONE_SERVICE)
        return turns

    async def _post(self, target: WebPushSubscription, payload: bytes, headers: dict[str, str]) -> Outcome:
        self._endpoints.check_url(target.endpoint)
        parts = urlsplit(target.endpoint)
        # A third of a millisecond each: the lock is handed over in the loop's next turn, so that
        # sockets are served between two of them, however many there are.
        async with self._encrypting:
            encrypted = _encrypt(target, payload)
        if encrypted is None:
            return Outcome("refused", "keys that can't be encrypted to")
        audience = f"{parts.scheme}://{parts.netloc.removesuffix(':443')}"
        authorization = await self._keyring.authorization(audience)
        # Asked for here, after the last wait: it may have been stopped meanwhile.
        if self._session is None:
            return Outcome("retry", "the sender has stopped")
        async with self._session.post(
            # As it is: an endpoint is opaque, and a parser's view of it is not the browser's.
            URL(target.endpoint, encoded=True),
            data=encrypted,
            headers=headers
            | {
                "Authorization": authorization,
                "Content-Encoding": "aes128gcm",
                "Content-Type": "application/octet-stream",
                "User-Agent": "tocsin",
            },
            allow_redirects=False,
        ) as response:
            try:
                body = await response.content.read(MAX_ANSWER_BYTES)
            except (TimeoutError, aiohttp.ClientError):
                # The status has come, and it is what counts.
                body = b""
            _log.debug("web push to %s: %d", parts.hostname, response.status)
            return _outcome(response, body)


class _JudgedResolver(AbstractResolver):
    """Gives aiohttp the addresses that were judged; it connects to these, and asks nobody else."""

    def __init__(self, endpoints: PushEndpoints) -> None:
        self._endpoints = endpoints

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._endpoints.addresses(host, port)
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in found]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=its, proto=0, flags=socket.AI_NUMERICHOST)
            for address, its in zip(found, families, strict=True)
            if family in {socket.AF_UNSPEC, its}
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _payload(message: PushMessage, timestamp: str, receipt: str) -> bytes:
    """Return what the service worker reads (web/src/push/payload.ts)."""
    return orjson.dumps(
        {
            "v": VERSION,
            "title": message.title,
            "body": message.body,
            "data": message.data,
            "tag": message.tag,
            "link": message.link,
            "badge": message.badge,
            "notification_id": message.notification_id,
            "timestamp": timestamp,
            "receipt": receipt,
        }
    )


def _closing(tags: Sequence[str]) -> bytes:
    return orjson.dumps({"v": VERSION, "close": tags})


def _encrypt(target: WebPushSubscription, payload: bytes) -> bytes | None:
    keys = {"p256dh": target.p256dh.rstrip("="), "auth": target.auth.rstrip("=")}
    try:
        encoded = WebPusher({"endpoint": target.endpoint, "keys": keys}).encode(payload, "aes128gcm")
    except ValueError:
        # A row that no rule of ours has let in.
        return None
    body: bytes = encoded["body"]
    return body


def _outcome(response: aiohttp.ClientResponse, body: bytes) -> Outcome:
    status = response.status
    if status < 300:
        return Outcome("sent")
    if status in _GONE:
        return Outcome("gone", f"http {status}")
    if status in _LATER or status >= 500:
        return Outcome("retry", f"http {status}", retry_after_s(response.headers.get("Retry-After")))
    if status < 400:
        return Outcome("refused", f"http {status}, a redirect")
    return Outcome("refused", f"http {status}{_told(body)}")


def _told(body: bytes) -> str:
    """Return Apple's word for what is wrong, such as ``BadJwtToken``; of other answers nothing, they may tell more."""
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    reason = answer.get("reason") if isinstance(answer, dict) else None
    return f" {reason}" if isinstance(reason, str) and _REASON.fullmatch(reason) else ""
