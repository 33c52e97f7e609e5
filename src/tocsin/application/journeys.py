"""
"Why didn't Alice get it?": the way of one notification over every device and channel.

What is stored comes from the database (``JourneyStore``), which session was there from the nodes' memory
(``Witness``). What neither tells is said, too: a trace that guesses is worth nothing.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence

from tocsin.application import journey_sessions as sessions_told
from tocsin.application import journey_words as words
from tocsin.application.journey_sessions import Witnessed
from tocsin.application.journey_store import JourneyStore
from tocsin.application.journey_verdict import verdict
from tocsin.domain.errors import Invalid
from tocsin.domain.journey import Found, Journey, Record
from tocsin.domain.ladder import Ladders
from tocsin.domain.retention import DAY_MS, USUAL, Kept
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId

MAX_FOUND = 200

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
        kept: How long the log and the steps are kept.
    """

    def __init__(
        self,
        store: JourneyStore,
        ladders: Ladders,
        ask_nodes: AskNodes | None = None,
        clock: Callable[[], int] = now_ms,
        kept: Kept = USUAL,
    ) -> None:
        self._kept = kept
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
        seen = Witnessed()
        if self._ask_nodes is not None and record.scheduled is None:
            seen = await self._ask_nodes(notification_id, record.user_id, record.seq)
        now = self._clock()
        rungs = self._ladders.of(record.said("category"), record.said("priority") or "normal")
        steps = [
            *words.of_origin(record),
            *sessions_told.of_requests(seen, record.created_at),
            *words.of_inbox(record),
            *sessions_told.of_sessions(seen, record),
            *words.of_ladder(record, rungs, now - self._kept.traces_days * DAY_MS),
        ]
        acked = _acked(record, seen)
        state = _state(record, now)
        # Stable: of one instant the order above is the order in which it happened.
        steps.sort(key=lambda step: (step.at is None, step.at or 0))
        return Journey(
            record=record,
            verdict=verdict(record, seen if self._ask_nodes else None, rungs, acked=acked, state=state),
            state=state,
            acked=acked,
            timeline=steps,
            unknown=list(_unknown(record, seen, now, self._kept, asks=self._ask_nodes is not None)),
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


def _acked(record: Record, seen: Witnessed) -> bool | None:
    """Return whether a device has acknowledged its stream up to it; of what is not shown that says nothing."""
    if not record.seq:
        return None
    # Acks are stored a moment after a node has seen them.
    is_acked = record.head.acked >= record.seq or any(one["acked_at"] is not None for _, one in seen.sessions())
    return is_acked and not record.is_withheld


def _state(record: Record, now: int) -> str:
    row = record.notification
    if row is None:
        return "gone" if record.scheduled is None else "scheduled"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "archived" if row.archived_at else "snoozed" if row.snoozed_until else "listed"


def _days(number: int) -> str:
    return "a day" if number == 1 else f"{number} days"


def _unknown(record: Record, seen: Witnessed, now: int, kept: Kept, *, asks: bool) -> Iterator[str]:
    created_at = record.created_at
    if record.scheduled is not None:
        return
    if record.first is None:
        yield (
            "The event that told of it is no longer in the log, "
            f"which keeps {_days(kept.events_days)} or 1,000 events: "
            "sounds, holds and changes of that time are not known."
        )
    if created_at is None or created_at < now - kept.traces_days * DAY_MS:
        yield f"It is older than {_days(kept.traces_days)}: what was pushed is not kept for longer."
    if not asks:
        yield _SERVERS_KNOW
    yield from sessions_told.unknown(seen, record.told_at)
    if asks and record.asked is None and not any(told["created"] for told in seen.nodes.values()):
        yield (
            "Who asked for it is not known: only requests over REST are remembered, for a while, "
            "and those with an Idempotency-Key for 24 hours."
        )
