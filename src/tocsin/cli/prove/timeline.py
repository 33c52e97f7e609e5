"""When things happened during one fault: acknowledgements, deliveries, and the fault's moments."""

import time
from collections import Counter
from dataclasses import dataclass, field

STEP_S = 0.25


@dataclass(slots=True)
class Timeline:
    """
    Counts by steps of STEP_S seconds, from its making on.

    Attributes:
        acks: Posts acknowledged, by step.
        deliveries: Events shown by clients, by step.
        marks: Seconds and words of what the fault did.
    """

    began: float = field(default_factory=time.monotonic)
    acks: Counter[int] = field(default_factory=Counter)
    deliveries: Counter[int] = field(default_factory=Counter)
    marks: list[tuple[float, str]] = field(default_factory=list)

    def restart(self) -> None:
        """Begin now; nothing has been counted yet."""
        self.began = time.monotonic()

    @property
    def now_s(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self.began

    def on_ack(self) -> None:
        """Count an acknowledgement now."""
        self.acks[int(self.now_s / STEP_S)] += 1

    def on_show(self) -> None:
        """Count a delivery now."""
        self.deliveries[int(self.now_s / STEP_S)] += 1

    def deliveries_per_s(self) -> float:
        """Return the rate of deliveries over the last second."""
        now, steps = int(self.now_s / STEP_S), int(1 / STEP_S)
        return sum(self.deliveries[step] for step in range(now - steps, now))

    def mark(self, text: str) -> None:
        """Take note of a moment."""
        self.marks.append((self.now_s, text))
