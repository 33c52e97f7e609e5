"""Rates as people write them."""

import pytest

from tocsin.domain.errors import Invalid
from tocsin.domain.rate import Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10 per minute", Rate(10, 60.0)),
        ("5/second", Rate(5, 1.0)),
        ("1000 per 2 hours", Rate(1000, 7200.0)),
        (" 1 / day ", Rate(1, 86_400.0)),
    ],
)
def test_a_rate_is_read(text, rate):
    """Count, an optional number of periods, and their unit."""
    assert rate == parse_rate(text)


@pytest.mark.parametrize(
    "text", ["", "10", "ten per minute", "0 per minute", "-1 per minute", "10 per fortnight", 10, None, parse_rate]
)
def test_what_is_no_rate_is_refused(text):
    """The refusal shows what a rate looks like."""
    with pytest.raises(Invalid, match="10 per minute"):
        parse_rate(text)
