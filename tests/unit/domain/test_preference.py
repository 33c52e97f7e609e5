"""Preferences: what is muted, and quiet hours by the clock of the user, over its changes too."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tocsin.domain.errors import Invalid
from tocsin.domain.preference import Preferences


def at(text):
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def quiet(start, end, zone="UTC"):
    return Preferences.read({"quiet_hours": {"from": start, "until": end, "time_zone": zone}})


def end_of(preferences, now):
    end = preferences.quiet_until_after(at(now))
    return None if end is None else datetime.fromtimestamp(end / 1000, UTC).isoformat()


def test_without_preferences_everything_comes():
    """At every hour, on every channel."""
    assert Preferences().quiet_until_after(0) is None
    assert Preferences().allows("news", "fcm")
    assert Preferences() == Preferences.read(Preferences().json())


def test_a_channel_is_muted_for_a_category_or_for_all():
    """A star stands for every category, and for none."""
    preferences = Preferences.read({"categories": {"news": {"fcm": False}, "*": {"channels": False}}})

    assert [False, True, False] == [preferences.allows("news", name) for name in ("fcm", "webpush", "channels")]
    assert [True, False] == [preferences.allows(None, name) for name in ("fcm", "channels")]
    assert preferences == Preferences.read(preferences.json())


def test_a_night_ends_in_the_morning_of_the_users_zone():
    """In Seoul it is nine hours later."""
    night = quiet("22:00", "07:00", "Asia/Seoul")

    assert "2026-11-27T22:00:00+00:00" == end_of(night, "2026-11-27T14:30:00+00:00")
    assert "2026-11-27T22:00:00+00:00" == end_of(night, "2026-11-27T21:59:59+00:00")
    assert end_of(night, "2026-11-27T22:00:00+00:00") is None
    assert end_of(night, "2026-11-27T12:59:00+00:00") is None


def test_hours_of_one_day_end_the_same_day():
    """A lunch break."""
    assert "2026-11-27T13:00:00+00:00" == end_of(quiet("12:00", "13:00"), "2026-11-27T12:30:00+00:00")
    assert end_of(quiet("12:00", "13:00"), "2026-11-27T13:00:00+00:00") is None


@pytest.mark.parametrize(
    ("now", "end", "hours"),
    [
        ("2026-03-28T22:00:00+01:00", "2026-03-29T05:00:00+00:00", 8),
        ("2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+00:00", 10),
    ],
)
def test_a_night_with_a_change_of_the_clock_ends_by_the_clock(now, end, hours):
    """At seven, however long the night was."""
    night = quiet("22:00", "07:00", "Europe/Berlin")

    assert end == end_of(night, now)
    assert timedelta(hours=hours) == datetime.fromisoformat(end) - datetime.fromisoformat(now).astimezone(
        timezone(timedelta(0))
    )


@pytest.mark.parametrize(
    "body",
    [
        {"quiet": {}},
        {"quiet_hours": "night"},
        {"quiet_hours": {"from": "24:00", "until": "07:00"}},
        {"quiet_hours": {"from": "22:00"}},
        {"quiet_hours": {"from": "22:00", "until": "07:00", "time_zone": "Mars/Olympus"}},
        {"quiet_hours": {"from": "22:00", "until": "07:00", "time_zone": "../../etc/passwd"}},
        {"muted": ["fcm"]},
        {"muted": {"news": ["pigeon"]}},
    ],
)
def test_what_breaks_a_rule_is_refused(body):
    """In words."""
    with pytest.raises(Invalid):
        Preferences.read(body)
