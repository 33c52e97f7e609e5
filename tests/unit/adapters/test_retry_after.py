"""What providers ask for: read as it is meant, and gone along with as far as it makes sense."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tocsin.adapters.retry_after import retry_after_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0000000000012", 12.0),
        ("0", 1.0),
        ("999999999999", 3_600.0),
        ("9" * 5_000, 3_600.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1.0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", 3_600.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_a_header(value, seconds):
    """Seconds or a date, between a second and an hour; nonsense says nothing."""
    assert seconds == retry_after_s(value)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
@pytest.mark.parametrize("end", ["GMT", "-0000"])
def test_a_date_is_of_greenwich(monkeypatch, zone, end):
    """Wherever the machine stands, and also where it says that it knows no zone."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True).replace("GMT", end)
    found = retry_after_s(date)
    monkeypatch.undo()
    time.tzset()

    assert 590 < found <= 600
