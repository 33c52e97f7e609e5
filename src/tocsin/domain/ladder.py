"""
The push ladder: which channels a notification climbs, and when, as long as nobody has seen it.

Written as one line, entries divided by ``;``, each a priority (or a category
and a priority) and its rungs: ``urgent: push 0s, channels 1m; billing/high:
channels 2m; low: none``. A rung's time counts from the notification's creation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from tocsin.domain.errors import Invalid
from tocsin.domain.notification import Priority

ChannelName = Literal["fcm", "webpush", "channels"]

DEFAULT_LADDER = "urgent: push 0s, channels 1m; high: push 5s, channels 5m; normal: push 30s, channels 15m; low: none"
MAX_AFTER_S = 7 * 24 * 3_600

_PRIORITIES = get_args(Priority)
_NAMES: Mapping[str, tuple[ChannelName, ...]] = {
    "push": ("fcm", "webpush"),
    "fcm": ("fcm",),
    "webpush": ("webpush",),
    "channels": ("channels",),
}
_UNITS = {"s": 1, "m": 60, "h": 3_600}
_RUNG = re.compile(r"(push|fcm|webpush|channels) ([0-9]{1,7})([smh])")


@dataclass(frozen=True, slots=True)
class Rung:
    """
    One step of a ladder.

    Attributes:
        channels: What is sent to when it is reached.
        after_s: Seconds after the creation of the notification.
    """

    channels: tuple[ChannelName, ...]
    after_s: int


class Ladders:
    """
    The rungs of every category and priority; immutable.

    Args:
        text: As the module tells; a priority that it does not name has no rungs.

    Raises:
        Invalid: It has another form; the detail names the part.
    """

    def __init__(self, text: str = DEFAULT_LADDER) -> None:
        self._rungs: dict[tuple[str | None, str], tuple[Rung, ...]] = {}
        for entry in filter(None, (part.strip() for part in text.split(";"))):
            head, colon, rungs = entry.partition(":")
            category, slash, priority = head.strip().rpartition("/")
            if not colon or priority not in _PRIORITIES or (slash and not category):
                raise Invalid(f"'{entry}' must begin as in 'high:' or 'billing/high:', with {', '.join(_PRIORITIES)}")
            key = (category or None, priority)
            if key in self._rungs:
                raise Invalid(f"'{head.strip()}' stands there twice")
            self._rungs[key] = _rungs(rungs.strip())

    def of(self, category: str | None, priority: str) -> tuple[Rung, ...]:
        """Return the rungs of a notification, the earliest first: those of its category, else of its priority."""
        own = self._rungs.get((category, priority))
        return self._rungs.get((None, priority), ()) if own is None else own


def _rungs(text: str) -> tuple[Rung, ...]:
    if text == "none":
        return ()
    rungs: list[Rung] = []
    for part in (one.strip() for one in text.split(",")):
        found = _RUNG.fullmatch(part)
        if found is None:
            raise Invalid(f"'{part}' must look like 'push 30s', 'fcm 0s', 'webpush 10s' or 'channels 5m'")
        name, number, unit = found.groups()
        after_s = int(number) * _UNITS[unit]
        if after_s > MAX_AFTER_S or (rungs and after_s < rungs[-1].after_s):
            raise Invalid(f"'{part}' must come after the rung before it, and within 7 days")
        rungs.append(Rung(_NAMES[name], after_s))
    return tuple(rungs)
