"""How a user wants to be reached: which channels for which category, and when not at all."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.domain.errors import Invalid

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_CHANNELS = frozenset({"fcm", "webpush", "channels"})
EVERY_CATEGORY = "*"


@dataclass(frozen=True, slots=True)
class Preferences:
    """
    What one user has asked for; without any, everything comes at once.

    Attributes:
        quiet_from: When the quiet hours begin, by the user's clock; None: there are none.
        quiet_until: When they end; earlier than ``quiet_from`` is the next morning.
        time_zone: Of the user's clock, as ``Asia/Seoul``.
        muted: The channels that a category (``*``: every) does not use.
    """

    quiet_from: time | None = None
    quiet_until: time | None = None
    time_zone: str = "UTC"
    muted: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Preferences":
        """
        Return the preferences of ``{quiet_hours: {from, until, time_zone}, muted: {category: [channel]}}``.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
        """
        quiet = body.get("quiet_hours")
        muted = body.get("muted") or {}
        if unknown := sorted(body.keys() - {"quiet_hours", "muted"}):
            raise Invalid(f"{unknown[0]} is no field of preferences")
        if not isinstance(muted, dict) or not all(
            isinstance(names, list) and set(names) <= _CHANNELS for names in muted.values()
        ):
            raise Invalid("muted must be lists of fcm, webpush and channels by category")
        told = {category: frozenset(names) for category, names in muted.items()}
        if quiet is None:
            return cls(muted=told)
        if not isinstance(quiet, dict):
            raise Invalid("quiet_hours must be an object")
        zone = quiet.get("time_zone", "UTC")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise Invalid("quiet_hours.time_zone must be a name such as Asia/Seoul") from None
        return cls(_clock("from", quiet.get("from")), _clock("until", quiet.get("until")), zone, told)

    def json(self) -> dict[str, Any]:
        """Return what ``read`` takes."""
        quiet = None
        if self.quiet_from is not None and self.quiet_until is not None:
            quiet = {
                "from": self.quiet_from.strftime("%H:%M"),
                "until": self.quiet_until.strftime("%H:%M"),
                "time_zone": self.time_zone,
            }
        return {"quiet_hours": quiet, "muted": {category: sorted(names) for category, names in self.muted.items()}}

    def allows(self, category: str | None, channel: str) -> bool:
        """Return whether a category may use a channel."""
        everywhere = self.muted.get(EVERY_CATEGORY, frozenset())
        return channel not in everywhere | self.muted.get(category or "", frozenset())

    def quiet_until_after(self, now: int) -> int | None:
        """
        Return when the quiet hours that it is in now end, or None outside of them; in milliseconds since 1970.

        By the wall clock of the user's zone: a night with a change of the clock is an hour longer or shorter.
        """
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return None
        zone = ZoneInfo(self.time_zone)
        here = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
        clock = here.time()
        over_night = self.quiet_from > self.quiet_until
        is_quiet = (
            clock >= self.quiet_from or clock < self.quiet_until
            if over_night
            else self.quiet_from <= clock < self.quiet_until
        )
        if not is_quiet:
            return None
        day = here.date() + timedelta(days=1) if over_night and clock >= self.quiet_from else here.date()
        end = int(datetime.combine(day, self.quiet_until, zone).timestamp() * 1000)
        return max(end, now + 1)


def _clock(name: str, value: object) -> time:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Invalid(f"quiet_hours.{name} must be a time of day as in 22:00")
    return time(int(found[1]), int(found[2]))
