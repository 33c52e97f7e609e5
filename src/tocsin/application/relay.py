"""
The relay: climbs the push ladder of notifications that nobody has acknowledged, and takes back what was.

One row a notification says what is due (``adapters.sql.deliveries``), written in the transaction
that created it; so what is committed is sent, whatever process dies when. The relay claims
what is due for a time, sends, and records each attempt. A process that dies between sending and
recording makes the next one send again: under the same tag, which providers and devices
take for the same message. What is to be done is decided by ``escalation``.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tocsin.application.deliveries import DeliveryStore, Due, Settlement
from tocsin.application.escalation import Step, next_step
from tocsin.application.push import Route, Target
from tocsin.domain.delivery import Attempt, Delivery
from tocsin.domain.errors import TocsinError
from tocsin.domain.ladder import Ladders
from tocsin.domain.notification import Notification
from tocsin.domain.push import MAX_LINK, MAX_TTL_S, Outcome, PushMessage
from tocsin.domain.stream import StreamEvent
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import UserId

# What a process that died has held is free again after this; a living one renews it.
HOLD_MS = 15_000
RENEW_S = 5.0
MAX_TRIES = 10
MAX_UNDER_WAY = 512
CLAIM = 32
# How long what another process has committed may wait.
LOOK_S = 1.0
# What is committed in one burst is claimed together.
GATHER_S = 0.02
_STOP_S = 5.0
_FIRST_BACK_OFF_S = 5.0
_LONGEST_BACK_OFF_S = 900.0

# After one of these nothing more is sent to a target, whatever a crash has left unsaid.
_FINAL = frozenset({"sent", "arrived", "gone", "refused", "dead", "retracted"})
_SHOWN = frozenset({"sent", "arrived"})
_TAKEN_BACK = frozenset({"acked", "read", "deleted", "expired"})
_NEWS = frozenset({"notification", "notification_read", "notification_deleted"})

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Work:
    """What is being done for one delivery."""

    due: Due
    attempts: list[Attempt] = field(default_factory=list)
    retry_after_s: list[float] = field(default_factory=list)

    def note(self, channel: str, outcome: Any, *, target: str | None = None, label: str | None = None, reason: str = "",
             provider_id: str | None = None) -> None:  # fmt: skip
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
            )
        )

    def note_once(self, channel: str, outcome: Any, reason: str) -> None:
        said = (*self.due.attempts, *self.attempts)
        if not any((one.channel, one.outcome, one.reason) == (channel, outcome, reason) for one in said):
            self.note(channel, outcome, reason=reason)

    def outcomes_of(self, target: str) -> set[str]:
        return {one.outcome for one in self.due.attempts if one.target == target}

    def tries_of(self, target: str, outcome: str) -> int:
        return sum(one.target == target and one.outcome == outcome for one in self.due.attempts)


class Relay:
    """
    Works off what is due, in this process. Belongs to the event loop's thread.

    Several may run on one database: each delivery is held by one of them.

    Args:
        store: The ladder's memory.
        routes: What can be sent to.
        ladders: Which channels are climbed when.
        is_online: Whether a user has a socket; None: nobody knows.
        clock: Milliseconds since 1970.
        jitter: Picks a number between two.
    """

    def __init__(
        self,
        store: DeliveryStore,
        routes: Sequence[Route[Any]],
        ladders: Ladders,
        *,
        is_online: Callable[[UserId], bool | None] = lambda _: None,
        clock: Callable[[], int] = now_ms,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._store = store
        self._routes = tuple(routes)
        self._ladders = ladders
        self._is_online = is_online
        self._clock = clock
        self._jitter = jitter
        self._news = asyncio.Event()
        self._working: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._held: dict[str, Delivery] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look for what is due."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._run(), name="tocsin-relay"),
                asyncio.create_task(self._renew(), name="tocsin-relay-renew"),
            ]

    async def stop(self) -> None:
        """Claim nothing more; what is under way has five seconds. What is not recorded then is sent again."""
        await _ended(self._tasks[:1])
        if self._working:
            _, late = await asyncio.wait(self._working, timeout=_STOP_S)
            await _ended(late)
        await _ended(self._tasks)
        self._tasks = []

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Look soon: what was committed may have made something due; never waits."""
        if not self._news.is_set() and any(event.event in _NEWS for event in events):
            self._news.set()

    async def _run(self) -> None:
        while True:
            try:
                if not await self.work_once():
                    await self._wait()
            except TocsinError as error:
                _log.warning("the push ladder waits: %s", error)
                await asyncio.sleep(LOOK_S)
            except Exception:  # noqa: BLE001 logged
                # A fault of one round must not end pushes for the whole life.
                _log.exception("the push ladder failed")
                await asyncio.sleep(LOOK_S)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if self._held:
                with suppress(TocsinError):  # at worst another sends the same under the same tag
                    await self._store.renew(list(self._held.values()), HOLD_MS)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()
        self._news.clear()
        await asyncio.sleep(GATHER_S)

    async def work_once(self) -> int:
        """Claim some of what is due and begin with it; return how much that was."""
        while len(self._working) > MAX_UNDER_WAY - CLAIM:
            self._room.clear()
            await self._room.wait()
        due_at = await self._store.next_due()
        if due_at is None or due_at > self._clock():
            return 0
        claimed = await self._store.claim(CLAIM, HOLD_MS)
        at_once: list[Settlement] = []
        for due in claimed:
            held = due.delivery
            rungs = self._ladders.of(held.category, held.priority)
            step = next_step(due, rungs, is_online=self._is_online(held.user_id), now=self._clock())
            work = _Work(due)
            if step.channels or (step.ended in _TAKEN_BACK and self._shown(work)):
                self._begin(self._carry_out(work, step))
            else:
                at_once.append(self._without_sending(work, step))
        if at_once:
            await self._store.settle(at_once)
        return len(claimed)

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._working:
            await asyncio.wait(self._working)

    def _begin(self, coroutine: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(coroutine, name="tocsin-delivery")
        self._working.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._room.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its row stays held, and is due again soon.
            _log.error("a delivery failed and will be tried again: %s", type(error).__name__)

    def _without_sending(self, work: _Work, step: Step) -> Settlement:
        if step.ended is not None:
            # Of one with no ladder nothing is told: it was never to be sent.
            if step.ended in _TAKEN_BACK:
                work.note("ladder", "ended", reason=step.ended)
            return Settlement(work.due.delivery, work.attempts, step.rung, 0, None)
        if step.quiet_until is not None:
            work.note_once("ladder", "skipped", f"quiet hours until {iso(step.quiet_until)}")
        return Settlement(work.due.delivery, work.attempts, step.rung, work.due.delivery.tries, step.next_at)

    async def _carry_out(self, work: _Work, step: Step) -> None:
        held = work.due.delivery
        self._held[held.notification_id] = held
        try:
            settlement = await (self._climb(work, step) if step.ended is None else self._take_back(work, step))
            await self._record(settlement)
        finally:
            del self._held[held.notification_id]

    async def _record(self, settlement: Settlement) -> None:
        # What was sent and is not recorded would be sent again: a full disk is waited for.
        while True:
            try:
                await self._store.settle([settlement])
            except TocsinError as error:
                _log.warning("a push was sent and waits to be recorded: %s", error)
                await asyncio.sleep(LOOK_S)
            else:
                return

    # Up

    async def _climb(self, work: _Work, step: Step) -> Settlement:
        held, notification = work.due.delivery, work.due.notification
        assert notification is not None, "one that is no more has ended"
        message = _message(notification, work.due.unread, self._clock())
        by_channel = {route.channel: route for route in self._routes}
        for name in step.channels:
            if not work.due.preferences.allows(held.category, name):
                work.note_once(name, "skipped", "muted by the user")
            elif name not in by_channel:
                work.note_once(name, "skipped", "not set up on this server")
        routes = [by_channel[name] for name in step.channels if name in by_channel]
        allowed = [route for route in routes if work.due.preferences.allows(held.category, route.channel)]
        await asyncio.gather(*[self._send(route, work, message) for route in allowed])
        due_at = step.next_at
        tries = 0
        if work.retry_after_s:
            tries = held.tries + 1
            due_at = min(due_at, self._clock() + int(1000 * max(work.retry_after_s)))
        return Settlement(held, work.attempts, step.rung, tries, due_at)

    async def _send(self, route: Route[Any], work: _Work, message: PushMessage) -> None:
        held = work.due.delivery
        found = await _targets(route, work.due)
        if not found:
            work.note_once(route.channel, "skipped", "nothing is registered")
        pending = [one for one in found if not work.outcomes_of(one.id) & _FINAL]
        if not pending:
            return
        for target, outcome in zip(pending, await route.sender.send(message, pending), strict=True):
            kind: str = outcome.kind
            if kind == "gone":
                with suppress(TocsinError):  # the next one will be told the same
                    await route.drop(target)
            if kind == "retry":
                tries = work.tries_of(target.id, "retry") + 1
                if tries >= MAX_TRIES:
                    kind = "dead"
                    _log.error(
                        "push: gave up on notification %s over %s after %d tries: %s; its trace tells more",
                        held.notification_id, route.channel, tries, outcome.reason,
                    )  # fmt: skip
                else:
                    work.retry_after_s.append(self._back_off_s(tries, outcome))
            work.note(
                route.channel,
                kind,
                target=target.id,
                label=route.label(target),
                reason=outcome.reason,
                provider_id=outcome.provider_id,
            )

    def _back_off_s(self, tries: int, outcome: Outcome) -> float:
        longest_s = min(_LONGEST_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** (tries - 1))
        jittered_s = self._jitter(longest_s / 2, longest_s)
        # Not before it may, and not all that wait for the same instant at once.
        return jittered_s if outcome.retry_after_s is None else outcome.retry_after_s + self._jitter(0, 1)

    # Down

    def _shown(self, work: _Work) -> dict[str, list[str]]:
        """Return by channel which targets may still show it."""
        shown: dict[str, list[str]] = {}
        for route in self._routes:
            if route.retract is None:
                continue
            told = {one.target for one in work.due.attempts if one.channel == route.channel and one.outcome in _SHOWN}
            over = {one.target for one in work.due.attempts if one.outcome in {"retracted", "gone"}}
            if left := [target for target in told - over if target is not None]:
                shown[route.channel] = left
        return shown

    async def _take_back(self, work: _Work, step: Step) -> Settlement:
        held = work.due.delivery
        shown = self._shown(work)
        routes = [route for route in self._routes if route.channel in shown]
        await asyncio.gather(*[self._retract(route, work, shown[route.channel]) for route in routes])
        if work.retry_after_s and held.tries + 1 < MAX_TRIES:
            due_at = self._clock() + int(1000 * max(work.retry_after_s))
            return Settlement(held, work.attempts, step.rung, held.tries + 1, due_at)
        work.note("ladder", "ended", reason=step.ended or "")
        return Settlement(held, work.attempts, step.rung, 0, None)

    async def _retract(self, route: Route[Any], work: _Work, targets: Sequence[str]) -> None:
        held = work.due.delivery
        assert route.retract is not None, "only such are asked for"
        found = await _targets(route, work.due)
        left = [one for one in found if one.id in targets]
        if not left:
            return
        for target, outcome in zip(left, await route.retract([held.notification_id], left), strict=True):
            told = {"target": target.id, "label": route.label(target), "provider_id": outcome.provider_id}
            if outcome.kind == "retry":
                work.retry_after_s.append(self._back_off_s(held.tries + 1, outcome))
                work.note(route.channel, "retry", reason=f"taking back: {outcome.reason}", **told)
            else:
                reason = outcome.reason if outcome.kind != "sent" else ""
                work.note(route.channel, "retracted" if outcome.kind == "sent" else outcome.kind, reason=reason, **told)


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
