"""User ids: one user whatever form the id came in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.errors import Invalid
from tocsin.domain.user_id import parse_user_id, user_id_json


@given(st.integers(0, 2**53 - 1))
def test_a_number_and_its_digits_are_one_user(number):
    """``456`` and ``"456"`` are one id, given out as a number."""
    assert parse_user_id(number) == parse_user_id(str(number))
    assert number == user_id_json(parse_user_id(number))


@given(st.one_of(st.integers(-(10**30), 10**30), st.text(min_size=1, max_size=128)))
def test_what_is_given_out_comes_back_as_the_same_user(value):
    """An id survives any number of trips through JSON."""
    try:
        user_id = parse_user_id(value)
    except Invalid:
        return

    assert user_id == parse_user_id(json.loads(json.dumps(user_id_json(user_id))))


@pytest.mark.parametrize("text", ["007", "-1", "+1", "1.0", "1e3", " 1", str(2**53), "٣", "²", "u-1"])
def test_other_texts_stay_texts(text):
    """Only a canonical decimal integer below 2^53 becomes a number."""
    assert text == user_id_json(parse_user_id(text))


@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, b"1", "", "a" * 129, "a\0", "a\nb", "\ud800", 10**128])
def test_what_is_no_id_is_refused(value):
    """The refusal names the field."""
    with pytest.raises(Invalid, match="to_user_id"):
        parse_user_id(value, "to_user_id")


def test_the_longest_id_is_accepted():
    """128 characters fit, in any script."""
    assert "가" * 128 == parse_user_id("가" * 128)
