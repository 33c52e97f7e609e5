"""Hours in which nothing makes a noise, by the wall clock of a user's zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.domain.errors import Invalid

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class QuietHours:
    """
    From one time of day until another; an end that is earlier is the next morning's.

    Attributes:
        time_zone: Of the clock, as ``Asia/Seoul``; None: of whoever they hold for.
    """

    start: time
    end: time
    time_zone: str | None = None

    @classmethod
    def read(cls, body: object) -> "QuietHours":
        """
        Return the hours of ``{from, until, time_zone}``.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
        """
        if not isinstance(body, dict):
            raise Invalid("quiet_hours must be an object, or null")
        if unknown := sorted(body.keys() - {"from", "until", "time_zone"}):
            raise Invalid(f"quiet_hours.{unknown[0]} is no field of preferences")
        zone = body.get("time_zone")
        zone = None if zone is None else check_zone("quiet_hours.time_zone", zone)
        return cls(_clock("from", body.get("from")), _clock("until", body.get("until")), zone)

    def json(self) -> dict[str, Any]:
        """Return what ``read`` takes."""
        return {"from": f"{self.start:%H:%M}", "until": f"{self.end:%H:%M}", "time_zone": self.time_zone}

    def until_after(self, now: int) -> int | None:
        """
        Return when the hours that it is in now end, or None outside of them; in milliseconds since 1970.

        A night with a change of the clock is an hour longer or shorter.
        """
        if self.start == self.end:
            return None
        here = local(now, self.time_zone or "UTC")
        clock = here.time()
        over_night = self.start > self.end
        is_quiet = (clock >= self.start or clock < self.end) if over_night else self.start <= clock < self.end
        if not is_quiet:
            return None
        day = here.date() + timedelta(days=1) if over_night and clock >= self.start else here.date()
        # Where the clock strikes the hour twice, it is the second time once the first is over.
        ends = (datetime.combine(day, self.end.replace(fold=fold), here.tzinfo) for fold in (0, 1))
        instants = [int(end.timestamp() * 1000) for end in ends]
        return next((instant for instant in instants if instant > now), now + 1)


def next_hour(now: int, time_zone: str) -> int:
    """Return when the next full hour of a zone begins."""
    here = local(now, time_zone)
    into_ms = (here.minute * 60 + here.second) * 1000 + now % 1000
    return now + HOUR_MS - into_ms


def next_at_hour(now: int, hour: int, time_zone: str) -> int:
    """Return when it is next that hour of the day in a zone; where the clock leaves it out, the hour after."""
    here = local(now, time_zone)
    for day in (here.date(), here.date() + timedelta(days=1)):
        instant = int(datetime.combine(day, time(hour), here.tzinfo).timestamp() * 1000)
        if instant > now:
            return instant
    return now + 24 * HOUR_MS  # a day that a zone left out


def local(now: int, time_zone: str) -> datetime:
    """Return the wall clock of a zone."""
    return datetime.fromtimestamp(now / 1000, UTC).astimezone(ZoneInfo(time_zone))


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def check_zone(field: str, name: object) -> str:
    """
    Return the name of a time zone.

    Raises:
        Invalid: There is no such zone.
    """
    if not isinstance(name, str) or not _is_zone(name):
        raise Invalid(f"{field} must be a name such as Asia/Seoul")
    return name


def _clock(name: str, value: object) -> time:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Invalid(f"quiet_hours.{name} must be a time of day as in 22:00")
    return time(int(found[1]), int(found[2]))
