"""
Firebase Cloud Messaging through firebase-admin, and what its answers mean.

firebase-admin 7 encodes the messages, knows the errors and signs in. Its own
HTTP client is replaced: it repeats a 500 or 503 four times whatever
``Retry-After`` says, waits two minutes for an answer, blocks its loop while it
signs in, and one answer that it can't read spoils all others of a batch.
"""

import asyncio
import ipaddress
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import firebase_admin  # type: ignore[import-untyped]
import httpx
import orjson
from firebase_admin import credentials, messaging
from firebase_admin.exceptions import FirebaseError  # type: ignore[import-untyped]
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError

from tocsin.adapters.fcm.messages import least_message, message_maker, retraction_maker
from tocsin.adapters.retry_after import retry_after_s
from tocsin.adapters.turns import Silent, Turns
from tocsin.domain.push import Outcome, PushMessage

GOOGLE = "https://fcm.googleapis.com"
# What waits for a connection longer than this is told to come again.
PATIENCE_S = 25.0
_SIGN_IN_TIMEOUT_S = 10.0
_CONNECTIONS = 100

# The reason where Google signs this key in no more.
NO_ACCESS = "NO_ACCESS"
_APNS_REFUSED = "THIRD_PARTY_AUTH_ERROR"
_KEPT_HEADERS = frozenset({"Retry-After", "Content-Type"})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"

Address = tuple[str, str]


class _NoAnswer(httpx.HTTPError):
    """What firebase-admin is told where Firebase said nothing; the text is the reason, and holds nothing else."""


class FcmClient:
    """
    Sends messages to targets. Belongs to one event loop, and keeps it busy.

    Args:
        key: The content of the project's key file.
        url: Stands in place of ``https://fcm.googleapis.com``.
        timeout_s: How long an answer may take.
    """

    def __init__(self, key: dict[str, Any], url: str | None = None, *, timeout_s: float = 10.0) -> None:
        credential = credentials.Certificate(key)
        self._app = firebase_admin.initialize_app(credential, name=f"tocsin-{id(self)}")
        # There is no public way to give it a client of our own; the extra `fcm` pins the release.
        service: Any = messaging._get_messaging_service(self._app)  # noqa: SLF001
        http = _Http(credential.get_credential(), (url or GOOGLE).rstrip("/"), timeout_s)
        service._async_client = http  # noqa: SLF001

    async def send(self, message: PushMessage, targets: Sequence[Address]) -> list[Outcome]:
        """Send to at most 500 targets and return what came of each; raises nothing for what Firebase says."""
        make = message_maker(message)
        outcomes = await self._send([_made(make, *target) for target in targets])
        doubtful = [place for place, one in enumerate(outcomes) if one.reason == "INVALID_ARGUMENT"]
        if doubtful:
            # Is it the message or the target? Only a message that can't be wrong tells, for this target alone:
            # what another target took may still be wrong for the platform of this one.
            trials = await self._send([_made(least_message, *targets[place]) for place in doubtful], is_dry_run=True)
            for place, trial in zip(doubtful, trials, strict=True):
                if trial.reason in {"INVALID_ARGUMENT", "UNREGISTERED"}:
                    outcomes[place] = Outcome("gone", trial.reason)
        return outcomes

    async def retract(self, tags: Sequence[str], targets: Sequence[Address]) -> list[Outcome]:
        """Tell at most 500 targets to take messages back, by their tags."""
        make = retraction_maker(tags)
        return await self._send([_made(make, *target) for target in targets])

    async def _send(self, messages: list[messaging.Message], *, is_dry_run: bool = False) -> list[Outcome]:
        try:
            answer = await messaging.send_each_async(messages, dry_run=is_dry_run, app=self._app)
        except ValueError:  # firebase-admin checks each message before it sends the first
            return [Outcome("refused", "not a message")] * len(messages)
        return [_outcome(response) for response in answer.responses]


class _Http:
    """
    What firebase-admin sends a message with: one try, in bounded time, every failure an ``httpx.HTTPError``.

    By aiohttp, which takes a tenth of the processor's time that httpx takes here.
    """

    def __init__(self, credential: Any, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._access = _Access(credential)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=not is_loopback(url),
        )
        self._turns = Turns(_CONNECTIONS)

    async def request(self, method: str, url: str, *, headers: dict[str, str], json: Any) -> httpx.Response:
        url = self._url + url.removeprefix(GOOGLE)
        content = orjson.dumps(json)
        try:
            async with asyncio.timeout(PATIENCE_S), self._turns.take():
                token = await self._access.token()
                answer = await self._send(method, url, headers, content, token)
                if answer.status_code == httpx.codes.UNAUTHORIZED and _APNS_REFUSED not in _codes(answer):
                    token = await self._access.token(refused=token)
                    answer = await self._send(method, url, headers, content, token)
        except TimeoutError:
            raise _NoAnswer("timeout") from None
        except Silent as silent:
            raise _NoAnswer(str(silent)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _NoAnswer(type(error).__name__) from None
        if answer.is_success and "name" not in _body(answer):
            raise _NoAnswer("an answer that is none of Firebase's")
        return answer.raise_for_status()

    async def _send(self, method: str, url: str, headers: dict[str, str], content: bytes, token: str) -> httpx.Response:
        sent = {**headers, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with (
            asyncio.timeout(self._timeout_s),
            self._session.request(method, url, headers=sent, data=content, allow_redirects=False) as answer,
        ):
            return httpx.Response(
                answer.status,
                headers=[(name, value) for name, value in answer.headers.items() if name in _KEPT_HEADERS],
                content=await answer.read(),
                request=httpx.Request(method, url),
            )


class _Access:
    """The access token of a key: fetched in a thread, once for all who wait for it."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential
        self._turn = asyncio.Lock()
        self._failed: tuple[float, _NoAnswer] | None = None
        self._loop = asyncio.get_running_loop()

    async def token(self, refused: str | None = None) -> str:
        """Return a token that is valid, another than the one that was refused."""
        # While it fails one alone waits for the answer.
        if self._failed is not None and self._turn.locked():
            raise self._failed[1]
        async with self._turn:
            credential = self._credential
            if not credential.valid or credential.token == refused:
                # Those who waited for the same answer don't each ask for it again.
                if self._failed is not None and time.monotonic() < self._failed[0]:
                    raise self._failed[1]
                try:
                    await asyncio.to_thread(credential.refresh, self._request)
                except (GoogleAuthError, ValueError, OSError) as error:
                    is_final = isinstance(error, RefreshError | ValueError) and not getattr(error, "retryable", False)
                    failure = _NoAnswer(NO_ACCESS if is_final else "no access token")
                    self._failed = (time.monotonic() + 1.0, failure)
                    raise failure from None
                self._failed = None
            return str(credential.token)

    def _request(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> "_Answer":
        """Do what google-auth asks for, in its thread: by the loop, where an answer that drips has an end as well."""
        return asyncio.run_coroutine_threadsafe(_answered(method, url, body, headers), self._loop).result()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What google-auth reads of an answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes


async def _answered(method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None) -> _Answer:
    timeout = aiohttp.ClientTimeout(total=_SIGN_IN_TIMEOUT_S)
    try:
        async with (
            # Its own, once an hour: nobody else's time-outs, and nothing to be closed.
            aiohttp.ClientSession(timeout=timeout, trust_env=not is_loopback(url)) as session,
            session.request(method, url, data=body, headers=headers) as answer,
        ):
            return _Answer(answer.status, answer.headers, await answer.read())
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError(type(error).__name__) from None  # type: ignore[no-untyped-call]


def is_loopback(url: str) -> bool:
    """Return whether a URL names this machine, which no proxy stands before."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _made(make: Any, kind: str, token: str) -> messaging.Message:
    with warnings.catch_warnings():
        # It deprecates `token` for `fid`, which the devices of most apps do not have yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        return make(kind, token)


def _outcome(response: messaging.SendResponse) -> Outcome:
    """Return what an answer means; the table stands in docs/how-to/push.md."""
    if response.success:
        return Outcome("sent", provider_id=response.message_id)
    error = response.exception
    answer = error.http_response if isinstance(error, FirebaseError) else None
    if not isinstance(answer, httpx.Response):
        reason = str(error.cause) if isinstance(getattr(error, "cause", None), _NoAnswer) else type(error).__name__
        return Outcome("refused" if reason == NO_ACCESS else "retry", reason)
    status, codes = answer.status_code, _codes(answer)
    if isinstance(error, messaging.UnregisteredError) or (status == 404 and "NOT_FOUND" in codes):
        return Outcome("gone", "UNREGISTERED")
    if status in _TRANSIENT:
        asked_s = retry_after_s(answer.headers.get("Retry-After"))
        return Outcome("retry", codes[0] if codes else f"HTTP {status}", asked_s)
    return Outcome("refused", codes[0] if codes else f"HTTP {status}")


def _codes(answer: httpx.Response) -> list[str]:
    """Return Firebase's own word for an error, and Google's; nothing for what another server has said."""
    error = _body(answer).get("error")
    if not isinstance(error, dict):
        return []
    details = error.get("details")
    words = [
        detail.get("errorCode")
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and detail.get("@type") == _FCM_ERROR
    ]
    return [word for word in (*words, error.get("status")) if isinstance(word, str) and word.isidentifier()]


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
