"""Rates as people write them: ``10 per minute``, ``5/second``, ``1000 per 2 hours``."""

import re
from dataclasses import dataclass

from tocsin.domain.errors import Invalid

_TEXT = re.compile(r"\s*([1-9][0-9]{0,8})\s*(?:per|/)\s*(?:([1-9][0-9]{0,4})\s*)?(second|minute|hour|day)s?\s*")
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """
    So many a period: all of them may come at once, and what is spent comes back evenly.

    Attributes:
        count: How many.
        period_s: In how many seconds.
    """

    count: int
    period_s: float


def parse_rate(text: object) -> Rate:
    """
    Return the rate of a text such as ``10 per minute``.

    Raises:
        Invalid: It does not look like one.
    """
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Invalid(f"{text!r} is not a rate such as '10 per minute' or '5/second'")
    count, periods, unit = found.groups()
    return Rate(int(count), int(periods or 1) * _SECONDS[unit])
