"""
How often a user may do a thing: rates of client events, counted on this node.

What nodes tell one another of them is in ``shared_limits.py``. The clients'
connections have a bound of their own in the engine, which knows no users;
whether a refusal closes anything is decided there.
"""

import math
import time
from collections.abc import Callable

from tocsin.domain.errors import RateLimited
from tocsin.domain.rate import Rate
from tocsin.domain.user_id import UserId

MAX_USERS = 100_000
# Who has spent less of the rate than this is not worth a word to the other nodes.
UNTOLD = 0.1

FindRate = Callable[[], Rate]


class EventLimit:
    """
    The rate of one event, kept for each user on its own (GCRA: one float a user).

    All of a period's events may come at once; what is spent comes back evenly.
    Belongs to the event loop's thread. A user who is idle for two periods costs
    nothing. Beyond ``max_users`` of them in a period those who were quiet longest are
    forgotten, and may start anew: a full table never refuses anybody.

    Args:
        find_rate: Asked once, at the first event.
        clock: Monotonic seconds.
        is_shared: Note what is spent, for the other nodes.
    """

    __slots__ = (
        "_burst_s",
        "_clock",
        "_find_rate",
        "_interval_s",
        "_is_shared",
        "_max_users",
        "_older",
        "_period_s",
        "_recent",
        "_rotated_at",
        "_spent",
        "_untold_s",
    )

    def __init__(
        self, find_rate: FindRate, clock: Callable[[], float], *, max_users: int = MAX_USERS, is_shared: bool = False
    ) -> None:
        self._find_rate: FindRate | None = find_rate
        self._clock = clock
        self._max_users = max_users
        self._interval_s = self._burst_s = self._period_s = 0.0
        # When the user will be owed nothing, by user; who is in neither may do all.
        self._recent: dict[UserId, float] = {}
        self._older: dict[UserId, float] = {}
        self._rotated_at = clock()
        self._is_shared = is_shared
        self._untold_s = math.inf
        # What the other nodes have not been told yet, by user.
        self._spent: dict[UserId, int] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def replace(self, find_rate: FindRate) -> None:
        """Take another rate from the next event on; everybody starts anew."""
        self._recent, self._older = {}, {}
        self._find_rate = find_rate

    def spend(self, user_id: UserId) -> None:
        """
        Count one event of the user. O(1).

        Raises:
            RateLimited: It is one too many and was not counted; ``retry_after_s``
                seconds from now it is not.
        """
        now = self._clock()
        free_at = self._recent.get(user_id)
        if free_at is None:
            free_at = self._recall(user_id)
        if free_at <= now:
            self._recent[user_id] = now + self._interval_s
        elif free_at - now <= self._burst_s:
            self._recent[user_id] = free_at + self._interval_s
            if free_at - now > self._untold_s:
                self._spent[user_id] = self._spent.get(user_id, 0) + 1
        else:
            wait_s = math.ceil((free_at - now - self._burst_s) * 1_000) / 1_000
            raise RateLimited("too many of these events from this user", retry_after_s=wait_s)

    def left(self, user_id: UserId) -> tuple[int, float]:
        """Return how many of the user's events may come at once now, and in how many seconds all may again."""
        owed_s = max(0.0, (self._recent.get(user_id) or self._recall(user_id)) - self._clock())
        spare_s = self._burst_s - owed_s
        return 0 if spare_s < 0 else int(spare_s / self._interval_s) + 1, owed_s

    def take_spent(self, most: int) -> dict[UserId, int]:
        """Return what users have spent here and was not returned before, of ``most`` users at most."""
        spent, self._spent = self._spent, {}
        for user_id in list(spent)[most:]:
            self._spent[user_id] = spent.pop(user_id)
        return spent

    def add(self, user_id: UserId, count: int) -> None:
        """Count what a user has spent on another node. O(1)."""
        now = self._clock()
        free_at = max(now, self._recent.get(user_id) or self._recall(user_id))
        # Two nodes that are at the limit both would otherwise refuse twice as long.
        self._recent[user_id] = min(free_at + count * self._interval_s, now + self._period_s)

    def forget_idle(self) -> None:
        """Let go of those who have been idle for a period."""
        if self._clock() - self._rotated_at >= self._period_s:
            self._rotate()

    def _recall(self, user_id: UserId) -> float:
        if self._find_rate is not None:
            self._adopt(self._find_rate())
            self._find_rate = None
        if len(self._recent) >= self._max_users:
            self._rotate()
        return self._older.get(user_id, 0.0)

    def _adopt(self, rate: Rate) -> None:
        self._period_s = rate.period_s
        self._interval_s = rate.period_s / rate.count
        # A clock of many digits rounds: the last event of a burst must not depend on that.
        self._burst_s = (rate.count - 1) * self._interval_s + min(self._interval_s, 1.0) * 1e-3
        self._untold_s = self._period_s * UNTOLD if self._is_shared else math.inf

    def _rotate(self) -> None:
        # A state is at most a period ahead of the clock: one that stood in ``older`` for a period has run out.
        self._older, self._recent = self._recent, {}
        self._rotated_at = self._clock()


class RateLimits:
    """
    The limits of all client events. Belongs to the event loop's thread.

    Args:
        default: The rate of an event that has none of its own.
        clock: Monotonic seconds.
        is_shared: Other nodes are to be told what is spent, see ``SharedLimits``.
    """

    def __init__(self, default: Rate, *, clock: Callable[[], float] = time.monotonic, is_shared: bool = False) -> None:
        self.is_shared = is_shared
        self._default = default
        self._clock = clock
        self._limits: dict[tuple[str, str], EventLimit] = {}

    def of(self, namespace: str, event: str) -> EventLimit:
        """Return the limit of an event, always the same one."""
        limit = self._limits.get((namespace, event))
        if limit is None:
            limit = self._limits[namespace, event] = EventLimit(
                lambda: self._default, self._clock, is_shared=self.is_shared
            )
        return limit

    def find(self, namespace: str, event: str) -> EventLimit | None:
        """Return the limit of an event, None where nobody may send it."""
        return self._limits.get((namespace, event))

    def take_spent(self, most: int) -> list[tuple[str, str, dict[UserId, int]]]:
        """Return what was spent and was not returned before: namespace, event, and the count by user."""
        taken = [(*name, limit.take_spent(most)) for name, limit in list(self._limits.items())]
        return [(namespace, event, spent) for namespace, event, spent in taken if spent]

    def set_rate(self, namespace: str, event: str, find_rate: Callable[[], Rate | None]) -> None:
        """
        Give an event a rate of its own.

        Args:
            namespace: Where.
            event: Its name.
            find_rate: Asked at the first event, so that what is registered may still
                be given its rate; None stands for the default.
        """
        self.of(namespace, event).replace(lambda: find_rate() or self._default)

    def forget_idle(self) -> None:
        """Let go of idle users; call it every minute or so."""
        # A copy: another thread may register an event meanwhile.
        for limit in list(self._limits.values()):
            limit.forget_idle()

    def __len__(self) -> int:
        return sum(map(len, self._limits.values()))
