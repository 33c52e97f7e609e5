"""The push ladder as it is written in a setting."""

import pytest

from tocsin.domain.errors import Invalid
from tocsin.domain.ladder import Ladders, Rung

PUSH = ("fcm", "webpush")


def test_rungs_are_those_of_the_priority():
    """In the order of their times, which are counted in seconds."""
    ladders = Ladders("high: push 5s, channels 2m; low: none")

    assert (Rung(PUSH, 5), Rung(("channels",), 120)) == ladders.of(None, "high")
    assert () == ladders.of(None, "low")
    assert () == ladders.of(None, "normal")


def test_a_category_has_rungs_of_its_own():
    """They take the place of those of the priority, also when there are none."""
    ladders = Ladders("normal: push 30s; billing/normal: webpush 1h; promo/normal: none")

    assert (Rung(("webpush",), 3_600),) == ladders.of("billing", "normal")
    assert () == ladders.of("promo", "normal")
    assert (Rung(PUSH, 30),) == ladders.of("other", "normal")


def test_a_category_may_hold_any_character_of_its_own():
    """The last slash parts it from the priority."""
    assert (Rung(PUSH, 1),) == Ladders("a/b c/high: push 1s").of("a/b c", "high")


def test_the_default_is_one():
    """What nobody has seen is pushed, and what is low is not."""
    assert Ladders().of(None, "urgent")
    assert () == Ladders().of(None, "low")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("high", "must begin as in"),
        ("highest: push 1s", "must begin as in"),
        ("/high: push 1s", "must begin as in"),
        ("high: push", "must look like"),
        ("high: push 1d", "must look like"),
        ("high: mail 1s", "must look like"),
        ("high: ", "must look like"),
        ("high: push 10s, channels 5s", "must come after"),
        ("high: push 200h", "within 7 days"),
        ("high: push 1s; high: none", "stands there twice"),
    ],
)
def test_another_form_is_refused_in_words(text, told):
    """The detail names the part that is wrong."""
    with pytest.raises(Invalid, match=told):
        Ladders(text)
