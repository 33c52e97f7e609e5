"""
Push: one message to everything that a user registered for it.

Who sends to what is a ``Route``; what a provider answers is its sender's to read.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar, get_args

import orjson

from tocsin.application.drafts import copy_json
from tocsin.application.meters import Histogram
from tocsin.application.ports import PushSender
from tocsin.domain.errors import Invalid, PayloadTooBig, TocsinError
from tocsin.domain.jitter import jitter
from tocsin.domain.ladder import ChannelName
from tocsin.domain.notification import MAX_DATA_BYTES, MAX_MESSAGE, MAX_TITLE, Priority
from tocsin.domain.push import DEFAULT_TTL_S, MAX_COLLAPSE_KEY, MAX_LINK, MAX_TTL_S, Outcome, PushMessage
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId

MAX_RETRIES = 4
PATIENCE_S = 60.0
MAX_BADGE = 2**31 - 1

_FIRST_BACK_OFF_S = 1.0
_PRIORITIES = get_args(Priority)

_log = logging.getLogger(__name__)


class Target(Protocol):
    """What a user registered: a device, or the subscription of a browser."""

    @property
    def id(self) -> str:
        """Its row's."""


T = TypeVar("T", bound=Target)


class RouteMeters:
    """
    What providers answered.

    Attributes:
        results: Targets by what the answer for them was (``Outcome.kind``).
        seconds: How long the answers for one call took.
    """

    __slots__ = ("results", "seconds")

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.seconds = Histogram()


@dataclass(frozen=True, slots=True)
class Route(Generic[T]):
    """
    One kind of target.

    Attributes:
        sender: Sends to them.
        find: Returns those of a user.
        drop: Removes one that is gone, if it still is the row that was read.
        channel: As the ladder calls it.
        label: What may be told of one, in a trace.
        find_in: Returns those of a user for what is in a category, where that makes a difference.
        retract: Takes back what was shown, by the tags of messages; None: it can't be.
        meters: Count what ``send`` brought.
    """

    sender: PushSender[T]
    find: Callable[[UserId], Awaitable[list[T]]]
    drop: Callable[[T], Awaitable[bool]]
    channel: ChannelName = "fcm"
    label: Callable[[T], str] = attrgetter("id")
    find_in: Callable[[UserId, str | None], Awaitable[list[T]]] | None = None
    retract: Callable[[Sequence[str], Sequence[T]], Awaitable[list[Outcome]]] | None = None
    meters: RouteMeters = field(default_factory=RouteMeters, compare=False, repr=False)

    async def send(self, message: PushMessage, targets: Sequence[T]) -> list[Outcome]:
        """Send to targets; see ``PushSender.send``. A sender that fails is to be tried again."""
        begun_at = time.perf_counter()
        outcomes = await self._answers(self.sender.send(message, targets), len(targets))
        self.meters.seconds.observe(time.perf_counter() - begun_at)
        self.meters.results.update([outcome.kind for outcome in outcomes])
        return outcomes

    async def take_back(self, tags: Sequence[str], targets: Sequence[T]) -> list[Outcome]:
        """Take back from targets what ``retract`` can."""
        assert self.retract is not None, "only such are asked for"
        return await self._answers(self.retract(tags, targets), len(targets))

    async def _answers(self, asked: Awaitable[list[Outcome]], targets: int) -> list[Outcome]:
        """Return what a provider said; a failure takes away nothing of what others sent."""
        try:
            return await asked
        except Exception as error:  # noqa: BLE001 told
            # Neither its words nor its lines: they may hold a target or a text.
            _log.error("push: the sender of %s failed: %s", self.channel, type(error).__name__)
            return [Outcome("retry", f"failed: {type(error).__name__}")] * targets


@dataclass(frozen=True, slots=True)
class PushReport:
    """
    What became of one push, in numbers of targets.

    Attributes:
        sent: The provider took it; whether a device shows it is the device's.
        gone: Were no more, and have been removed.
        failed: Were refused, or could not be reached in time.
        skipped: Were the user's no longer when their second try came.
    """

    sent: int = 0
    gone: int = 0
    failed: int = 0
    skipped: int = 0


class Push:
    """
    Use-cases of push. Belongs to the event loop's thread.

    Args:
        routes: Every kind of target that this process can send to.
        sleep: Waits a number of seconds.
        clock: A monotonic one, in seconds.
        jitter: Picks a number between two.
    """

    def __init__(
        self,
        routes: Sequence[Route[Any]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = jitter,
    ) -> None:
        self._routes = tuple(routes)
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._pauses: set[asyncio.Future[None]] = set()
        self._is_stopped = False

    async def start(self) -> None:
        """Make the senders ready."""
        for route in self._routes:
            await route.sender.start()

    async def stop(self) -> None:
        """Try nothing again and let go of the providers; what is under way fails. Once more does nothing."""
        self._is_stopped = True
        for pause in self._pauses:
            pause.cancel()
        for route in self._routes:
            await route.sender.stop()

    async def send(self, user_id: UserId, message: PushMessage) -> PushReport:
        """
        Send to all of a user's devices and browsers, and return when each has its answer.

        Not durable: what is under way when the process ends is lost. What a
        provider can't take now is tried again as it says (``Retry-After``), else
        after a random time that grows, at most 4 times in 60 s. A try without
        an answer may have arrived; the next one replaces it on the device. What
        is gone is removed, unless it was registered again meanwhile.

        Raises:
            Overloaded: The database takes no work now; nothing was sent.
        """
        # All are known before the first is sent to: whoever calls again after a refusal sends nothing twice.
        found = await asyncio.gather(*[route.find(user_id) for route in self._routes])
        counts: Counter[str] = Counter()
        sends = zip(self._routes, found, strict=True)
        await asyncio.gather(*[self._send(route, user_id, message, targets, counts) for route, targets in sends])
        return PushReport(counts["sent"], counts["gone"], counts["failed"], counts["skipped"])

    async def _send(
        self, route: Route[T], user_id: UserId, message: PushMessage, targets: Sequence[T], counts: Counter[str]
    ) -> None:
        if not targets or self._is_stopped:
            counts["failed"] += len(targets)
            return
        ends_at = self._clock() + PATIENCE_S
        first = await route.send(message, targets)
        retries = [
            self._try_again(route, user_id, message, _Tried(target, outcome), ends_at)
            for target, outcome in zip(targets, first, strict=True)
        ]
        tried = await asyncio.gather(*retries)
        for one in tried:
            if one.is_skipped:
                counts["skipped"] += 1
                continue
            if one.outcome.kind == "gone":
                await _drop(route, one.target)
            counts[one.outcome.kind if one.outcome.kind in {"sent", "gone"} else "failed"] += 1
        _tell_failures([one.outcome.reason for one in tried if one.outcome.kind in {"refused", "retry"}], len(targets))

    async def _try_again(
        self, route: Route[T], user_id: UserId, message: PushMessage, tried: "_Tried[T]", ends_at: float
    ) -> "_Tried[T]":
        for retry in range(MAX_RETRIES):
            if tried.outcome.kind != "retry":
                break
            delay_s = tried.outcome.retry_after_s
            if delay_s is None:
                delay_s = self._jitter(0, _FIRST_BACK_OFF_S * 2**retry)
            if self._clock() + delay_s > ends_at:
                break
            if not await self._pause(delay_s):
                break
            # It may have been unregistered, or have become another user's, while we waited.
            try:
                found = [one for one in await route.find(user_id) if one.id == tried.target.id]
            except TocsinError as error:  # others have been sent to: it must not look as if nobody were
                _log.warning("a push waits: %s", error.detail)
                continue
            if not found:
                return _Tried(tried.target, Outcome("gone"), is_skipped=True)
            (outcome,) = await route.send(message, found)
            tried = _Tried(found[0], outcome)
        return tried

    async def _pause(self, delay_s: float) -> bool:
        """Wait, and return whether there still is something to wait for."""
        pause = asyncio.ensure_future(self._sleep(delay_s))
        self._pauses.add(pause)
        try:
            await asyncio.wait({pause})
        finally:
            self._pauses.discard(pause)
            pause.cancel()
        return not self._is_stopped


@dataclass(frozen=True, slots=True)
class _Tried(Generic[T]):
    target: T
    outcome: Outcome
    is_skipped: bool = False


async def _drop(route: Route[T], target: T) -> None:
    try:
        await route.drop(target)
    except TocsinError as error:  # the next push will be told the same
        _log.warning("a target that is gone was not removed: %s", error.detail)


def _tell_failures(reasons: Sequence[str], targets: int) -> None:
    if reasons:
        told = ", ".join(f"{reason} ×{count}" for reason, count in Counter(reasons).most_common())
        _log.warning("a push did not reach %d of %d targets: %s", len(reasons), targets, told)


def draft_push(
    title: object,
    message: object,
    data: Mapping[str, Any] | None = None,
    *,
    collapse_key: str | None = None,
    ttl_s: object = DEFAULT_TTL_S,
    priority: Priority = "normal",
    badge: object = None,
    link: str | None = None,
) -> PushMessage:
    """
    Return a checked message; in any thread, everything is copied.

    Raises:
        Invalid: A field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds 16 KiB encoded.
    """
    _check("title", title, MAX_TITLE, least=1)
    _check("message", message, MAX_MESSAGE, least=0)
    copied = copy_json(data)
    if len(orjson.dumps(copied)) > MAX_DATA_BYTES:
        raise PayloadTooBig(f"data exceeds {MAX_DATA_BYTES} bytes")
    if collapse_key is not None:
        _check("collapse_key", collapse_key, MAX_COLLAPSE_KEY, least=1)
    if not _is_whole(ttl_s, MAX_TTL_S):
        raise Invalid(f"ttl_s must be a whole number of seconds, 0 to {MAX_TTL_S}")
    if priority not in _PRIORITIES:
        raise Invalid(f"priority must be one of {', '.join(_PRIORITIES)}")
    if badge is not None and not _is_whole(badge, MAX_BADGE):
        raise Invalid("badge must be a whole number, 0 or more")
    if link is not None:
        _check("link", link, MAX_LINK, least=1)
        if not link.startswith(("https://", "/")) or link.startswith("//"):
            raise Invalid("link must be an https URL, or a path of your site as in /orders/5")
    return PushMessage(
        title=str(title),
        body=str(message),
        data=copied,
        collapse_key=collapse_key,
        ttl_s=int(str(ttl_s)),
        priority=priority,
        badge=None if badge is None else int(str(badge)),
        link=link,
    )


def _check(field: str, text: object, most: int, *, least: int) -> None:
    if not isinstance(text, str):
        raise Invalid(f"{field} must be a string")
    check_text(field, text, most, least=least)


def _is_whole(number: object, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most
