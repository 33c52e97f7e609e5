"""
"Why didn't Alice get it?": the way of one notification over every device and channel.

What is stored comes from the database (``JourneyStore``), which session was there from the nodes' memory
(``Witness``). What neither tells is said, too: a trace that guesses is worth nothing.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from tocsin.application import journey_words as words
from tocsin.application.journey_store import JourneyStore
from tocsin.application.journey_verdict import verdict
from tocsin.domain.delivery import KEPT_MS
from tocsin.domain.errors import Invalid
from tocsin.domain.journey import Found, Journey, Record, Step
from tocsin.domain.ladder import Ladders
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import UserId

MAX_FOUND = 200
MAX_ANSWER_MS = 60_000

Witnessed = Mapping[str, Mapping[str, Any]]
"""What each node has seen, by its name; see ``Witness.tell``."""
AskNodes = Callable[[str, UserId, int], Awaitable[Witnessed]]

_SERVERS_KNOW = (
    "Which sessions were connected is known to the servers alone: ask one of them, GET /api/notifications/{id}/trace."
)


class Journeys:
    """
    Use-cases of the trace.

    Args:
        store: What is kept.
        ladders: Which channels are climbed when.
        ask_nodes: Asks every node what it has seen of ``(notification id, user id, seq)``; None: no
            server is asked, as on a command line.
        clock: Milliseconds since 1970.
    """

    def __init__(
        self,
        store: JourneyStore,
        ladders: Ladders,
        ask_nodes: AskNodes | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._ladders = ladders
        self._ask_nodes = ask_nodes
        self._clock = clock

    async def trace(self, notification_id: str, user_id: UserId | None = None) -> Journey:
        """
        Return everything that is known of one notification.

        Args:
            notification_id: Which.
            user_id: Whose it is, where the caller knows; see ``JourneyStore.record``.

        Raises:
            NotFound: Nothing is known; the detail says what the id is.
        """
        record = await self._store.record(notification_id, user_id)
        seen: Witnessed = {}
        if self._ask_nodes is not None and record.scheduled is None:
            seen = await self._ask_nodes(notification_id, record.user_id, record.seq)
        now = self._clock()
        rungs = self._ladders.of(record.said("category"), record.said("priority") or "normal")
        steps = [
            *words.of_origin(record),
            *(step for node, told in seen.items() for step in _asked_for(node, told, record.created_at)),
            *words.of_inbox(record),
            *(step for node, told in seen.items() for step in _sessions(node, told, record)),
            *words.of_ladder(record, rungs, now - KEPT_MS),
        ]
        sessions = [one for told in seen.values() for one in told["sessions"]]
        acked = None if not record.seq else record.head.acked >= record.seq
        if any(one["acked_at"] is not None for one in sessions):
            acked = True
        # Of one instant the order above is the order in which it happened.
        steps.sort(key=lambda step: (step.at is None, step.at or 0))
        return Journey(
            record=record,
            verdict=verdict(record, sessions if self._ask_nodes else None, rungs, acked=acked, now=now),
            state=_state(record, now),
            acked=acked,
            timeline=steps,
            unknown=list(_unknown(record, seen, now, asks=self._ask_nodes is not None)),
        )

    async def search(
        self, user_id: UserId, *, since: int | None = None, until: int | None = None, text: str = "", limit: int = 20
    ) -> Sequence[Found]:
        """
        Return a user's notifications of a time, the newest first, also of those that are gone and still in the log.

        Raises:
            Invalid: ``limit`` is not 1 to 200.
        """
        if not 1 <= limit <= MAX_FOUND:
            raise Invalid(f"limit must be 1 to {MAX_FOUND}")
        return await self._store.search(user_id, since=since, until=until, text=text, limit=limit)


def _asked_for(node: str, told: Mapping[str, Any], created_at: int | None) -> Iterator[Step]:
    for place, one in enumerate(told["created"]):
        # It is noted when it is answered.
        is_first = not place and created_at is not None and one["at"] - created_at < MAX_ANSWER_MS
        again = (
            "asked for again, under the same idempotency key, so that nothing new was made"
            if not is_first
            else "asked for"
        )
        text = f"{again} by {one['by']} (scope {' '.join(one['scopes'])})"
        at = created_at if is_first else one["at"]
        yield Step(at=at, channel="inbox", kind="asked", text=text, node=node)


_HOW = {
    "live": "sent to a session that was connected",
    "replayed": "sent from the log to a session that came back",
    "had": "a session came back and said that it has it",
    "refetch": "a session came back with a cursor that can't be resumed, and was told to fetch the inbox anew",
    "before": "a session came later and keeps no cursor: what was before it sees in its list alone",
    "waiting": "a session is being brought up to date, and has not been sent it yet",
    "left": "a session left before it was sent it",
}
_BAD = frozenset({"before", "waiting", "left"})


def _sessions(node: str, told: Mapping[str, Any], record: Record) -> Iterator[Step]:
    created_at = record.created_at or 0
    for one in told["sessions"]:
        how, left_at = one["how"], one["left_at"]

        def step(kind: str, text: str, at: int | None, *, is_bad: bool = False, session: str = one["id"]) -> Step:
            return Step(at=at, channel="socket", kind=kind, text=text, target=session, node=node, is_bad=is_bad)

        if left_at is not None and left_at < created_at:
            continue
        at = created_at if how == "live" else one["at"] or one["came_at"]
        yield step(how, _HOW[how] + (f" ({one['resync']})" if how == "refetch" else ""), at, is_bad=how in _BAD)
        if one["acked_at"] is not None:
            yield step("acked", "that session acknowledged it: its page has shown it", one["acked_at"])
        elif how in {"live", "replayed"}:
            why = (
                "that session has not acknowledged it: its page is in the background, or it never arrived"
                if one["acks"]
                else "that session acknowledges nothing, as stock Socket.IO clients do: whether it arrived is not known"
            )
            yield step("not_acked", why, None)
        if left_at is not None:
            yield step("left_later", f"that session ended ({one['left_reason']})", left_at)
    if record.seq and created_at >= told["since"] and not any(_was_there(one, created_at) for one in told["sessions"]):
        last = max((one["left_at"] for one in told["sessions"] if one["left_at"] is not None), default=None)
        text = "no session of the user was connected to this node"
        more = "" if last is None or last > created_at else f"; the last one had left at {iso(last)}"
        yield Step(at=created_at, channel="socket", kind="offline", text=text + more, node=node, is_bad=True)


def _was_there(session: Mapping[str, Any], at: int) -> bool:
    return session["came_at"] <= at and (session["left_at"] is None or session["left_at"] >= at)


def _state(record: Record, now: int) -> str:
    row = record.notification
    if row is None:
        return "gone" if record.scheduled is None else "scheduled"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "archived" if row.archived_at else "snoozed" if row.snoozed_until else "listed"


def _unknown(record: Record, seen: Witnessed, now: int, *, asks: bool) -> Iterator[str]:
    created_at = record.created_at
    if record.scheduled is not None:
        return
    if record.first is None:
        yield (
            "The event that told of it is no longer in the log, which keeps 7 days or 1,000 events: "
            "sounds, holds and changes of that time are not known."
        )
    if created_at is None or created_at < now - KEPT_MS:
        yield "It is older than 7 days: what was pushed is not kept for longer."
    if not asks:
        yield _SERVERS_KNOW
    for node, told in seen.items():
        if created_at is not None and told["since"] > created_at:
            yield f"{node} remembers sessions from {iso(told['since'])} on: it can't say who was connected before."
        if told["left_out"]:
            yield f"{node} has seen {told['left_out']} more sessions of the user, which are left out."
    if asks and record.asked is None and not any(told["created"] for told in seen.values()):
        yield (
            "Who asked for it is not known: only requests over REST are remembered, for a while, "
            "and those with an Idempotency-Key for 24 hours."
        )
