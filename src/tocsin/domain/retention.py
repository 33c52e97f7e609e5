"""How long is kept what nobody takes back."""

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Kept:
    """
    What an operator may set.

    Attributes:
        events_days: Of the logs of users; of more than 1,000 events of one log the latest 1,000 at most.
        traces_days: Steps of traces. The push ladder looks at them for as long as it lasts, 7 days.
    """

    events_days: int = 7
    traces_days: int = 7


USUAL = Kept()
