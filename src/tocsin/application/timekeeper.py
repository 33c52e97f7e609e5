"""Does what time alone changes in inboxes, when it is due: snoozes, digests, schedules, expiry."""

from collections.abc import Callable, Iterable

from tocsin.application.inbox_store import InboxStore
from tocsin.application.rounds import Rounds
from tocsin.domain.stream import StreamEvent
from tocsin.domain.timestamp import now_ms

# How many rows of a kind one transaction takes: writes of others wait no longer than for these.
PART = 100
# How late what another process has written, or the clock's being set, is noticed.
LOOK_S = 1.0
# In a burst one look is enough, and what is due and can't be done is not looked at without a pause.
_PAUSE_S = 0.05

_NEWS = frozenset({"notification", "notification_updated"})
_NO_TIMES = (b'"expires_at":null', b'"snoozed_until":null')


class Timekeeper:
    """
    Works off what is due, in this process. Belongs to the event loop's thread.

    What was due while nothing ran is done at the start. Several may run on one database: nothing is done twice.

    Args:
        store: The inboxes.
        clock: Milliseconds since 1970.

    Attributes:
        rounds: Its work; ``stop`` ends after the transaction that is under way, the rest comes after the next start.
    """

    def __init__(self, store: InboxStore, *, clock: Callable[[], int] = now_ms) -> None:
        self._store = store
        self._clock = clock
        self.rounds = Rounds("snoozes, schedules and expiry", self._round, longest_s=LOOK_S, least_s=_PAUSE_S)

    def look(self) -> None:
        """Look soon: something was written that may be due before anything else; never waits."""
        self.rounds.hurry()

    def on_events(self, events: Iterable[StreamEvent]) -> None:
        """Look soon where what was committed may have set a time."""
        if not self.rounds.hurries and any(event.event in _NEWS and _sets_time(event) for event in events):
            self.look()

    async def work_off(self) -> int | None:
        """Do all that is due now; return when time changes something next."""
        while (due_at := await self._store.next_change()) is not None and due_at <= self._clock():
            if not await self._store.change_by_time(PART):
                break
        return due_at

    async def _round(self) -> float:
        due_at = await self.work_off()
        return LOOK_S if due_at is None else min(LOOK_S, max(0.0, (due_at - self._clock()) / 1000))


def _sets_time(event: StreamEvent) -> bool:
    # Nearly every notification has no time of its own; the payload is the server's own, so its text tells.
    return event.event != "notification" or not all(words in event.payload for words in _NO_TIMES)
