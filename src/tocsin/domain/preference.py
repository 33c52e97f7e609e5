"""
How a user wants to be told: what of which category on which channel, how loud, how often, and when not at all.

A user's own word stands above the back end's default, and what is said of a
category above what is said of ``*``, every category.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from tocsin.domain.errors import Invalid
from tocsin.domain.notification import MAX_CATEGORY, MAX_SOUND
from tocsin.domain.quiet_hours import QuietHours, check_zone, next_at_hour, next_hour
from tocsin.domain.text import check_text
from tocsin.domain.timestamp import from_datetime, iso_or_none

Digest = Literal["off", "hourly", "daily"]
Locale = Literal["en", "ko"]

EVERY_CATEGORY = "*"
MAX_CATEGORIES = 200
_SWITCHES = ("inbox", "toast", "fcm", "webpush", "channels")
_DIGESTS = ("off", "hourly", "daily")
_LOCALES = ("en", "ko")
_FIELDS = frozenset({"categories", "quiet_hours", "mute_until", "digest_hour", "time_zone", "locale"})
_MORNING = 9
_LATEST = 32_503_680_000_000  # the year 3000, in milliseconds


@dataclass(frozen=True, slots=True)
class Rule:
    """
    What is asked of one category; None: nothing is said here.

    Attributes:
        inbox: False: it goes to the archive at once, and makes no noise.
        toast: Whether it pops up on an open page.
        sound: Its sound there; False: none.
        digest: Whether it waits for a digest.
    """

    inbox: bool | None = None
    toast: bool | None = None
    sound: str | Literal[False] | None = None
    fcm: bool | None = None
    webpush: bool | None = None
    channels: bool | None = None
    digest: Digest | None = None

    @classmethod
    def read(cls, category: str, body: object) -> "Rule":
        """
        Return the rule of one object.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
        """
        where = f"categories.{category}"
        if not isinstance(body, dict):
            raise Invalid(f"{where} must be an object")
        for name, value in body.items():
            if name in _SWITCHES:
                if not isinstance(value, bool | None):
                    raise Invalid(f"{where}.{name} must be true or false")
            elif name == "digest":
                if value is not None and value not in _DIGESTS:
                    raise Invalid(f"{where}.digest must be off, hourly or daily")
            elif name == "sound":
                if isinstance(value, str):
                    check_text(f"{where}.sound", value, MAX_SOUND)
                elif value is not None and value is not False:
                    raise Invalid(f"{where}.sound must be a name, or false")
            else:
                raise Invalid(f"{where}.{name} is no field of preferences")
        return cls(**body)

    def json(self) -> dict[str, Any]:
        """Return what ``read`` takes; what is not said is left out."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, other: "Rule") -> "Rule":
        """Return this one, with the other's word where this one has none."""
        return Rule(**{**other.json(), **self.json()})


_EVERYTHING = Rule(inbox=True, toast=True, fcm=True, webpush=True, channels=True, digest="off")
_NOTHING_SAID = Rule()


@dataclass(frozen=True, slots=True)
class Preferences:
    """
    What one user has asked for; without any, everything comes at once.

    Attributes:
        categories: Rules by category; ``*`` holds for every one.
        quiet_hours: When nothing but what is urgent makes a noise.
        mute_until: The same until then, once; milliseconds since 1970.
        digest_hour: The hour of day of a daily digest.
        time_zone: Of the user's clock.
        locale: The language of what the server words.
    """

    categories: Mapping[str, Rule] = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    mute_until: int | None = None
    digest_hour: int | None = None
    time_zone: str | None = None
    locale: Locale | None = None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Preferences":
        """
        Return the preferences of one object, as the reference of REST has it.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
        """
        if unknown := sorted(body.keys() - _FIELDS):
            raise Invalid(f"{unknown[0]} is no field of preferences")
        categories = body.get("categories") or {}
        if not isinstance(categories, dict) or len(categories) > MAX_CATEGORIES:
            raise Invalid(f"categories must be an object of at most {MAX_CATEGORIES} categories")
        for name in categories:
            check_text("a name in categories", name, MAX_CATEGORY)
        zone, quiet = body.get("time_zone"), body.get("quiet_hours")
        if zone is not None:
            check_zone("time_zone", zone)
        hour, locale = body.get("digest_hour"), body.get("locale")
        if hour is not None and (isinstance(hour, bool) or not isinstance(hour, int) or not 0 <= hour <= 23):
            raise Invalid("digest_hour must be an hour of the day, 0 to 23")
        if locale is not None and locale not in _LOCALES:
            raise Invalid(f"locale must be one of {', '.join(_LOCALES)}")
        return cls(
            categories={name: Rule.read(name, rule) for name, rule in categories.items()},
            quiet_hours=None if quiet is None else QuietHours.read(quiet),
            mute_until=_instant("mute_until", body.get("mute_until")),
            digest_hour=hour,
            time_zone=zone,
            locale=locale,
        )

    def json(self) -> dict[str, Any]:
        """Return what ``read`` takes."""
        return {
            "categories": {name: rule.json() for name, rule in self.categories.items()},
            "quiet_hours": None if self.quiet_hours is None else self.quiet_hours.json(),
            "mute_until": iso_or_none(self.mute_until),
            "digest_hour": self.digest_hour,
            "time_zone": self.time_zone,
            "locale": self.locale,
        }

    def over(self, defaults: "Preferences") -> "Preferences":
        """Return what holds: these, with the defaults where these say nothing."""
        own, every = self.categories, self.categories.get(EVERY_CATEGORY, _NOTHING_SAID)
        told = defaults.categories
        beneath = told.get(EVERY_CATEGORY, _NOTHING_SAID)
        names = own.keys() | told.keys() | {EVERY_CATEGORY}
        zone = self.time_zone or defaults.time_zone
        quiet = self.quiet_hours or defaults.quiet_hours
        if quiet is not None and quiet.time_zone is None:
            quiet = replace(quiet, time_zone=zone or "UTC")
        return Preferences(
            categories={
                name: own.get(name, _NOTHING_SAID).over(every).over(told.get(name, _NOTHING_SAID)).over(beneath)
                for name in sorted(names)
            },
            quiet_hours=quiet,
            mute_until=self.mute_until,
            digest_hour=defaults.digest_hour if self.digest_hour is None else self.digest_hour,
            time_zone=zone,
            locale=self.locale or defaults.locale,
        )

    def rule(self, category: str | None) -> Rule:
        """Return what holds for a category, with every switch said."""
        if not self.categories:
            return _EVERYTHING
        every = self.categories.get(EVERY_CATEGORY, _NOTHING_SAID)
        return _whole(self.categories.get(category or EVERY_CATEGORY, _NOTHING_SAID), every)

    def allows(self, category: str | None, channel: str) -> bool:
        """Return whether a category may use a channel: ``fcm``, ``webpush`` or ``channels``."""
        rule = self.rule(category)
        return rule.inbox is not False and bool(getattr(rule, channel))

    def quiet_until_after(self, now: int) -> int | None:
        """Return when a noise may be made again, or None when it may be now; in milliseconds since 1970."""
        muted = self.mute_until if self.mute_until is not None and self.mute_until > now else None
        quiet = None if self.quiet_hours is None else self.quiet_hours.until_after(now if muted is None else muted)
        return muted if quiet is None else quiet

    def digest_at(self, category: str | None, now: int) -> int | None:
        """Return when the digest comes that a category waits for now, or None when it does not wait."""
        kind = self.rule(category).digest
        if kind == "off":
            return None
        zone = self.time_zone or (self.quiet_hours and self.quiet_hours.time_zone) or "UTC"
        if kind == "hourly":
            return next_hour(now, zone)
        return next_at_hour(now, _MORNING if self.digest_hour is None else self.digest_hour, zone)


NOTHING_SAID = Preferences()
"""Of whoever has said nothing, where the back end has not either."""


@lru_cache(maxsize=4096)
def _whole(rule: Rule, every: Rule) -> Rule:
    # Asked for each notification.
    return rule.over(every).over(_EVERYTHING)


def _instant(name: str, value: object) -> int | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid(f"{name} must be an instant as in 2026-11-23T01:15:00Z")
    instant = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if instant > _LATEST:
        raise Invalid(f"{name} must lie before the year 3000")
    return instant
