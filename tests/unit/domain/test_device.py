"""Devices: what is shown of their tokens."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.device import TOKEN, TOPIC, Device, DeviceDraft, masked

SECRET = "fMEGG8-JBcAPA91bHun4MxP5egoKMwt2KZFBaFUH"
DEVICE = Device(
    id="01",
    user_id="456",
    kind="token",
    token=SECRET,
    platform="web",
    device_name="Firefox",
    created_at=0,
    last_seen_at=1_500,
)


@pytest.mark.parametrize(
    ("token", "expected"),
    [(SECRET, "…aFUH"), ("0123456789abcdef", "…cdef"), ("0123456789abcde", "…"), ("abcd", "…"), ("", "…")],
)
def test_at_most_the_last_four_characters_are_shown(token, expected):
    """Of a short one nothing, for four would be much of it."""
    assert expected == masked(token)


@given(st.from_regex(TOKEN, fullmatch=True))
def test_a_masked_token_tells_too_little(token):
    """Never more than a quarter of it."""
    assert len(masked(token)) - 1 <= len(token) / 4


def test_answers_show_the_masked_token():
    """And everything else but whose it is: it is the asking user's."""
    assert {
        "id": "01",
        "token": "…aFUH",
        "kind": "token",
        "platform": "web",
        "device_name": "Firefox",
        "created_at": "1970-01-01T00:00:00.000Z",
        "last_seen_at": "1970-01-01T00:00:01.500Z",
    } == DEVICE.json()


@pytest.mark.parametrize("one", [DEVICE, DeviceDraft(user_id="456", token=SECRET, platform="web")])
def test_no_repr_shows_a_token(one):
    """A log or a traceback that prints the object gives nothing away."""
    assert SECRET not in f"{one!r} {one!s} {[one]}"


def test_names_of_topics_are_those_of_firebase():
    """The pattern of its documentation, no line end behind it."""
    assert all(re.fullmatch(TOPIC, name) for name in ("news", "a-b_c.d~e%20", "9", "x" * 900))
    assert not any(re.fullmatch(TOPIC, name) for name in ("", "news\n", "/topics/news", "소식", "a b", "x" * 901))
