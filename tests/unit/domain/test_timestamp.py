"""Instants: milliseconds inside, ISO 8601 outside."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.timestamp import from_datetime, iso, iso_or_none, now_ms


@given(st.integers(0, 253_402_300_799_999))
def test_the_iso_form_is_the_instant(instant):
    """Python reads back what was written, up to the year 9999."""
    written = iso(instant)

    assert written.endswith("Z")
    assert len("2026-11-22T12:00:00.123Z") == len(written)
    assert instant == from_datetime(datetime.fromisoformat(written))


def test_no_instant_has_no_form():
    """None stays None."""
    assert iso_or_none(None) is None
    assert "1970-01-01T00:00:00.000Z" == iso_or_none(0)


def test_a_zone_does_not_matter():
    """The same moment in Seoul and in UTC is one instant."""
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)

    assert from_datetime(noon) == from_datetime(noon.astimezone(timezone(timedelta(hours=9))))


def test_now_is_the_wall_clock():
    """It lies between two readings of datetime's clock."""
    before = from_datetime(datetime.now(UTC))
    now = now_ms()
    after = from_datetime(datetime.now(UTC))

    assert before <= now <= after
