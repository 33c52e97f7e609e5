"""
Carries out one step of a push ladder: sends to every target of its channels, or takes back what they show.

What comes of it is a ``Settlement``; who records it, and when, is the relay's.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, get_args

from tocsin.application.deliveries import Due, Settlement
from tocsin.application.escalation import Step
from tocsin.application.push import Route, Target
from tocsin.application.tracing import Tracing
from tocsin.domain.delivery import Attempt, Ending, quiet_reason
from tocsin.domain.errors import TocsinError
from tocsin.domain.jitter import jitter
from tocsin.domain.notification import Notification
from tocsin.domain.push import MAX_LINK, MAX_TTL_S, Outcome, PushMessage
from tocsin.domain.timestamp import iso, now_ms

MAX_TRIES = 10
_FIRST_BACK_OFF_S = 5.0
_LONGEST_BACK_OFF_S = 900.0

# After one of these nothing more is sent to a target, whatever a crash has left unsaid.
_FINAL = frozenset({"sent", "arrived", "gone", "refused", "dead", "retracted"})
_SHOWN = frozenset({"sent", "arrived"})
# What its user did to one: it is shown there no more, and taking it back would make the browser show something else.
_TAKEN_OFF = frozenset({"clicked", "closed"})
# Of what was shown there nothing is left, or nothing more is asked.
_OVER = frozenset({"retracted", "gone", "refused", "dead"})
_TAKING_BACK = "taking back: "
# Whatever ends it but that its ladder has no more rungs.
_TAKEN_BACK = frozenset(get_args(Ending)) - {"done"}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Work:
    """What is being done for one delivery."""

    due: Due
    attempts: list[Attempt] = field(default_factory=list)
    # When each of those that are to be tried again may be.
    retry_at: list[int] = field(default_factory=list)

    def note(self, channel: str, outcome: Any, *, target: str | None = None, label: str | None = None, reason: str = "",
             provider_id: str | None = None, retry_at: int | None = None) -> None:  # fmt: skip
        held = self.due.delivery
        self.attempts.append(
            Attempt(
                notification_id=held.notification_id,
                user_id=held.user_id,
                channel=channel,
                outcome=outcome,
                target=target,
                label=label,
                reason=reason,
                provider_id=provider_id,
                retry_at=retry_at,
            )
        )
        if retry_at is not None:
            self.retry_at.append(retry_at)

    def note_once(self, channel: str, outcome: Any, reason: str) -> None:
        said = (*self.due.attempts, *self.attempts)
        if not any((one.channel, one.outcome, one.reason) == (channel, outcome, reason) for one in said):
            self.note(channel, outcome, reason=reason)

    @property
    def tries(self) -> int:
        """Return how often its rung was tried without an end."""
        is_tried = any(one.outcome == "retry" for one in self.attempts)
        return self.due.delivery.tries + is_tried if self.retry_at else 0

    def outcomes_of(self, target: str) -> set[str]:
        return {one.outcome for one in self.due.attempts if one.target == target}

    def ready(self, targets: Sequence[Target], now: int) -> list[Any]:
        """Return those that need not be waited for, and note when the others may be tried again."""
        waiting = {one.target: one.retry_at for one in self.due.attempts if (one.retry_at or 0) > now}
        self.retry_at += [at for one in targets if (at := waiting.get(one.id)) is not None]
        return [one for one in targets if one.id not in waiting]

    def tries_of(self, target: str, reason: str = "") -> int:
        """Return how often it was to be tried again, for a reason that begins so."""
        tries = (one for one in self.due.attempts if one.target == target and one.outcome == "retry")
        return sum(one.reason.startswith(reason) for one in tries)


class Dispatch:
    """
    Sends and takes back. Belongs to the event loop's thread.

    Args:
        routes: What can be sent to.
        tracing: Is told what was sent; None: nothing is followed.
        clock: Milliseconds since 1970.
        jitter: Picks a number between two.
    """

    def __init__(
        self,
        routes: Sequence[Route[Any]],
        *,
        tracing: Tracing | None = None,
        clock: Callable[[], int] = now_ms,
        jitter: Callable[[float, float], float] = jitter,
    ) -> None:
        self._tracing = tracing
        self._routes = {route.channel: route for route in routes}
        self._clock = clock
        self._jitter = jitter

    def without_sending(self, due: Due, step: Step) -> Settlement | None:
        """Return what comes of a step for which nobody is asked; None: ``carry_out`` is to be awaited."""
        work = _Work(due)
        if step.channels or (step.ended in _TAKEN_BACK and self._shown(work)):
            return None
        if step.ended is not None:
            # Of one with no ladder nothing is told: it was never to be sent.
            if step.ended in _TAKEN_BACK:
                work.note("ladder", "ended", reason=step.ended)
            return Settlement(due.delivery, work.attempts, step.rung, 0, None)
        if step.quiet_until is not None:
            work.note_once("ladder", "skipped", quiet_reason(step.quiet_until))
        return Settlement(due.delivery, work.attempts, step.rung, due.delivery.tries, step.next_at)

    async def carry_out(self, due: Due, step: Step) -> Settlement:
        """Return what came of a step, once each target has its answer."""
        work = _Work(due)
        return await (self._climb(work, step) if step.ended is None else self._take_back(work, step))

    # Up

    async def _climb(self, work: _Work, step: Step) -> Settlement:
        held, notification = work.due.delivery, work.due.notification
        assert notification is not None, "one that is no more has ended"
        message = _message(notification, work.due.unread, self._clock())
        for name in step.channels:
            if not work.due.preferences.allows(held.category, name):
                work.note_once(name, "skipped", "muted by the user")
            elif name not in self._routes:
                work.note_once(name, "skipped", "not set up on this server")
        routes = [self._routes[name] for name in step.channels if name in self._routes]
        allowed = [route for route in routes if work.due.preferences.allows(held.category, route.channel)]
        await _all(
            [
                self._send(route, work, message, pending)
                for route in allowed
                if (pending := await self._pending(route, work))
            ]
        )
        return Settlement(held, work.attempts, step.rung, work.tries, min([step.next_at, *work.retry_at]))

    async def _pending(self, route: Route[Any], work: _Work) -> list[Any]:
        """Return the targets that are still to be sent to."""
        found = await _targets(route, work.due)
        if not found:
            work.note_once(route.channel, "skipped", "nothing is registered")
        return work.ready([one for one in found if not work.outcomes_of(one.id) & _FINAL], self._clock())

    async def _send(self, route: Route[Any], work: _Work, message: PushMessage, pending: Sequence[Any]) -> None:
        held = work.due.delivery
        begun_at = time.time_ns()
        outcomes = await route.send(message, pending)
        if self._tracing is not None:
            self._tracing.pushed(held.notification_id, route.channel, begun_at, [one.kind for one in outcomes])
        for target, outcome in zip(pending, outcomes, strict=True):
            kind: str = outcome.kind
            if kind == "gone":
                with suppress(TocsinError):  # the next one will be told the same
                    await route.drop(target)
            told: dict[str, Any] = {"reason": outcome.reason}
            if kind == "retry":
                tries = work.tries_of(target.id) + 1
                if tries >= MAX_TRIES:
                    kind = "dead"
                    _log.error(
                        "push: gave up on notification %s over %s after %d tries: %s; its trace tells more",
                        held.notification_id, route.channel, tries, outcome.reason,
                    )  # fmt: skip
                else:
                    told = self._again(tries, outcome)
            work.note(
                route.channel,
                kind,
                target=target.id,
                label=route.label(target),
                provider_id=outcome.provider_id,
                **told,
            )

    def _again(self, tries: int, outcome: Outcome) -> dict[str, Any]:
        """Return when a target may be tried again, and why then."""
        longest_s = min(_LONGEST_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** (tries - 1))
        wait_s = self._jitter(longest_s / 2, longest_s)
        now, reason = self._clock(), outcome.reason
        if outcome.retry_after_s is not None:
            reason = f"{reason}, asked to wait until {iso(now + int(1_000 * outcome.retry_after_s))}"
            # Not before it may, and not all that wait for the same instant at once. Nor sooner than without its word:
            # ten tries within a moment would give up on a provider that is away for a minute.
            wait_s = max(wait_s, outcome.retry_after_s + self._jitter(0, 1))
        return {"reason": reason, "retry_at": now + int(1_000 * wait_s)}

    # Down

    def _shown(self, work: _Work) -> dict[str, list[str]]:
        """Return by channel which targets may still show it."""
        shown: dict[str, list[str]] = {}
        for route in self._routes.values():
            if route.retract is None:
                continue
            told = {one.target for one in work.due.attempts if one.channel == route.channel and one.outcome in _SHOWN}
            over = {one.target for one in work.due.attempts if one.outcome in _OVER or one.reason in _TAKEN_OFF}
            if left := [target for target in told - over if target is not None]:
                shown[route.channel] = left
        return shown

    async def _take_back(self, work: _Work, step: Step) -> Settlement:
        held = work.due.delivery
        shown = self._shown(work)
        routes = [route for route in self._routes.values() if route.channel in shown]
        await _all([self._retract(route, work, shown[route.channel]) for route in routes])
        if work.retry_at:
            return Settlement(held, work.attempts, step.rung, work.tries, min(work.retry_at))
        work.note("ladder", "ended", reason=step.ended or "")
        return Settlement(held, work.attempts, step.rung, 0, None)

    async def _retract(self, route: Route[Any], work: _Work, targets: Sequence[str]) -> None:
        held = work.due.delivery
        found = await _targets(route, work.due)
        left = work.ready([one for one in found if one.id in targets], self._clock())
        if not left:
            return
        outcomes = await route.take_back([held.notification_id], left)
        for target, outcome in zip(left, outcomes, strict=True):
            told = {"target": target.id, "label": route.label(target), "provider_id": outcome.provider_id}
            if outcome.kind == "retry":
                # Those of climbing don't count.
                tries = work.tries_of(target.id, _TAKING_BACK) + 1
                again = {"reason": outcome.reason} if tries >= MAX_TRIES else self._again(tries, outcome)
                again["reason"] = _TAKING_BACK + again["reason"]
                work.note(route.channel, "retry" if "retry_at" in again else "dead", **again, **told)
            else:
                reason = outcome.reason if outcome.kind != "sent" else ""
                work.note(route.channel, "retracted" if outcome.kind == "sent" else outcome.kind, reason=reason, **told)


async def _all(sends: Sequence[Coroutine[Any, Any, None]]) -> None:
    if len(sends) == 1:  # the usual case, and a task less
        await sends[0]
    else:
        await asyncio.gather(*sends)


async def _targets(route: Route[Any], due: Due) -> Sequence[Target]:
    held = due.delivery
    found: Sequence[Target] | None = due.targets.get(route.channel)
    if found is None:
        find_in = route.find_in
        found = await (find_in(held.user_id, held.category) if find_in is not None else route.find(held.user_id))
    return found


def _message(notification: Notification, unread: int, now: int) -> PushMessage:
    """Return the push of a notification; its tag is the notification's id, however often it is sent."""
    left_s = MAX_TTL_S if notification.expires_at is None else max(0, notification.expires_at - now) // 1_000
    return PushMessage(
        title=notification.title,
        body=notification.message,
        data=notification.data,
        ttl_s=min(MAX_TTL_S, left_s),
        priority=notification.priority,
        badge=unread,
        link=_link(notification),
        notification_id=notification.id,
        push_id=notification.id,
    )


def _link(notification: Notification) -> str | None:
    """Return the ``link`` of its data, if it is one that a tap may open."""
    link = notification.data.get("link")
    if not isinstance(link, str) or not 0 < len(link) <= MAX_LINK or link.startswith("//"):
        return None
    return link if link.startswith(("https://", "/")) else None
