"""What the bus dropped: counted by reason, and told in the log once a minute at most."""

import logging
import time
from collections import Counter

COMPLAIN_S = 60.0

_TEXTS = {
    "not_json": "events are not JSON and stay on this node",
    "too_big_to_send": "events or answers are bigger than Redis is given and stay on this node",
    "unsigned": "messages from Redis dropped: not signed, is TOCSIN_BUS_KEY set on every node?",
    "signed": "messages from Redis dropped: signed with a key that this node does not have, set TOCSIN_BUS_KEY alike",
    "wrong_signature": "messages from Redis dropped: wrongly signed, is TOCSIN_BUS_KEY the same on every node?",
    "other_version": "messages from Redis dropped: of another release of the protocol",
    "other_database": "messages from Redis dropped: of nodes on another database",
}

REASONS = tuple(_TEXTS)
"""Each is worth a look: they are counted from 0, so that who watches the counts sees the first one, too."""

log = logging.getLogger(__name__)


class Complaints:
    """
    Counts what was dropped.

    Attributes:
        counts: How much, by reason.
    """

    def __init__(self) -> None:
        self._complained_at: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def count(self, reason: str, number: int = 1) -> None:
        """Add to a reason's count; the log hears of it, unless it has within the last minute."""
        self.counts[reason] += number
        now = time.monotonic()
        if now - self._complained_at.get(reason, -COMPLAIN_S) >= COMPLAIN_S:
            self._complained_at[reason] = now
            log.warning(
                "%s: %s so far", _TEXTS.get(reason, f"messages from Redis dropped ({reason})"), self.counts[reason]
            )
