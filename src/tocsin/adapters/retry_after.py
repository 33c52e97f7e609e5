"""What a ``Retry-After`` asks for (RFC 9110, 10.2.3), as far as it is gone along with."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A wrong one must neither hammer at a provider nor silence it for a day.
LEAST_S = 1.0
MOST_S = 3_600.0


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds of a header, a number or a date, between a second and an hour; None: it has no sense."""
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        asked_s = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        asked_s = (moment - datetime.now(UTC)).total_seconds()
    return min(max(asked_s, LEAST_S), MOST_S)
