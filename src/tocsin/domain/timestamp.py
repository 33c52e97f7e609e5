"""Instants: integer milliseconds since 1970 inside, ISO 8601 UTC with ``Z`` outside."""

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

Milliseconds = NewType("Milliseconds", int)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_800_000


def now_ms() -> Milliseconds:
    """Return the wall clock; it stamps rows and never decides an order."""
    return Milliseconds(time.time_ns() // 1_000_000)


def iso(instant: int) -> str:
    """Return ``2026-11-23T01:15:00.123Z``."""
    return f"{_second(instant // 1000)}.{instant % 1000:03d}Z"


# A burst of events shares its second; formatting one is a third of encoding a notification.
@lru_cache(maxsize=256)
def _second(instant_s: int) -> str:
    return (_EPOCH + timedelta(seconds=instant_s)).strftime("%Y-%m-%dT%H:%M:%S")


def iso_or_none(instant: int | None) -> str | None:
    """Return the ISO form, or None for no instant."""
    return None if instant is None else iso(instant)


def is_instant(value: object) -> bool:
    """Return whether what another process says is one that can be shown: of 1970 to 9999."""
    return isinstance(value, int) and 0 <= value < _LAST_MS


def from_datetime(moment: datetime) -> Milliseconds:
    """Return an aware datetime in milliseconds."""
    return Milliseconds((moment - _EPOCH) // timedelta(milliseconds=1))
