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


def digest(kind, zone, hour=None):
    return Preferences.read({"categories": {"likes": {"digest": kind}}, "time_zone": zone, "digest_hour": hour})


@pytest.mark.parametrize(
    ("zone", "hour", "now", "due"),
    [
        ("Asia/Seoul", 9, "2026-11-27T23:59:59+00:00", "2026-11-28T00:00:00+00:00"),
        ("Asia/Seoul", 9, "2026-11-28T00:00:00+00:00", "2026-11-29T00:00:00+00:00"),
        # The night in which Berlin's clock goes forward is an hour shorter, the other an hour longer.
        ("Europe/Berlin", 9, "2026-03-28T09:00:00+01:00", "2026-03-29T07:00:00+00:00"),
        ("Europe/Berlin", 9, "2026-10-24T09:00:00+02:00", "2026-10-25T08:00:00+00:00"),
        # There is no 02:00 on that day, and two of them on this one: it comes once.
        ("Europe/Berlin", 2, "2026-03-28T12:00:00+01:00", "2026-03-29T01:00:00+00:00"),
        ("Europe/Berlin", 2, "2026-10-25T00:30:00+02:00", "2026-10-25T00:00:00+00:00"),
        ("Europe/Berlin", 2, "2026-10-25T00:00:00+00:00", "2026-10-26T01:00:00+00:00"),
    ],
)
def test_a_daily_digest_comes_at_its_hour_of_the_users_day(zone, hour, now, due):
    """Over changes of the clock, too."""
    found = digest("daily", zone, hour).digest_at("likes", at(now))

    assert due == datetime.fromtimestamp(found / 1000, UTC).isoformat()


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("UTC", "2026-11-27T12:00:00+00:00", "2026-11-27T13:00:00+00:00"),
        ("UTC", "2026-11-27T12:59:59.999+00:00", "2026-11-27T13:00:00+00:00"),
        ("Asia/Kolkata", "2026-11-27T12:00:00+00:00", "2026-11-27T12:30:00+00:00"),
        ("Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-25T01:00:00+00:00"),
    ],
)
def test_an_hourly_digest_comes_at_the_full_hour(zone, now, due):
    """Of the user's clock, which may stand at half past elsewhere."""
    found = digest("hourly", zone).digest_at("likes", at(now))

    assert due == datetime.fromtimestamp(found / 1000, UTC).isoformat()


def test_other_categories_wait_for_no_digest():
    """Nor does anything without preferences."""
    assert digest("daily", "UTC").digest_at("news", 0) is None
    assert Preferences().digest_at("likes", 0) is None


def test_to_be_muted_lasts_into_the_quiet_hours():
    """What ends in the middle of the night ends in the morning."""
    muted = Preferences.read(
        {
            "mute_until": "2026-11-27T23:00:00Z",
            "quiet_hours": {"from": "22:00", "until": "07:00", "time_zone": "UTC"},
        }
    )

    assert "2026-11-28T07:00:00+00:00" == end_of(muted, "2026-11-27T12:00:00+00:00")
    assert end_of(muted, "2026-11-28T07:00:00+00:00") is None


def test_ones_own_word_stands_above_the_defaults():
    """And a category above every category."""
    own = Preferences.read({"categories": {"*": {"sound": False}, "news": {"toast": False}}})
    defaults = Preferences.read(
        {"categories": {"*": {"fcm": False, "sound": "ding"}, "news": {"sound": "bell", "fcm": True}}, "locale": "ko"}
    )
    both = own.over(defaults)

    news, other = both.rule("news"), both.rule("other")
    assert (False, False, True) == (news.sound, news.toast, news.fcm)
    assert (False, True, False) == (other.sound, other.toast, other.fcm)
    assert "ko" == both.locale


def test_what_is_wanted_nowhere_is_pushed_nowhere():
    """Also what was pending when its user said so."""
    assert not Preferences.read({"categories": {"ads": {"inbox": False}}}).allows("ads", "fcm")


def test_quiet_hours_end_once_though_the_clock_strikes_twice():
    """At 02:10 of the second time there are twenty minutes left."""
    night = quiet("22:00", "02:30", "Europe/Berlin")

    assert "2026-10-25T01:30:00+00:00" == end_of(night, "2026-10-25T01:10:00+00:00")
    assert "2026-10-25T00:30:00+00:00" == end_of(night, "2026-10-25T00:10:00+00:00")
