"""Arguments of client events are taken as they are or refused with the field's name."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tocsin.domain.errors import Invalid, Overloaded
from tocsin.realtime.client_events import Arguments, parse_arguments, refusal_of


class Order(Arguments):
    order_id: int | str
    note: Annotated[str, Field(max_length=5)] | None = None


class Nothing(Arguments):
    pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_an_object_that_fits_is_taken():
    """Values arrive with the type that they had."""
    assert Order(order_id="7", note=None) == parse_arguments(Order, ({"order_id": "7"},))
    assert Order(order_id=7, note="abc") == parse_arguments(Order, ({"order_id": 7, "note": "abc"},))


@pytest.mark.parametrize("args", [(), (None,), ({},)])
def test_no_arguments_are_an_empty_object(args):
    """An event without fields may come with nothing, null or ``{}``."""
    assert Nothing() == parse_arguments(Nothing, args)


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (({},), "order_id"),
        (({"order_id": 1.0},), "order_id"),
        (({"order_id": True},), "order_id"),
        (({"order_id": 1, "note": "toolong"},), "note"),
        (({"order_id": 1, "extra": 1},), "extra"),
    ],
)
def test_a_refusal_names_the_field(args, field):
    """The first field that breaks the model, and nothing of its value."""
    with pytest.raises(Invalid, match=f"^{field}: ") as refusal:
        parse_arguments(Order, args)

    assert "toolong" not in refusal.value.detail


def test_a_long_unknown_field_is_not_repeated_whole():
    """A name that the client made up is cut."""
    with pytest.raises(Invalid) as refusal:
        parse_arguments(Order, ({"order_id": 1, "x" * 10_000: 1},))

    assert 200 > len(refusal.value.detail)


@given(st.lists(JSON, max_size=3))
def test_whatever_comes_is_taken_or_refused(args):
    """No JSON from the wire raises anything but Invalid."""
    try:
        taken = parse_arguments(Order, tuple(args))
    except Invalid:
        return

    assert args[0] == taken.model_dump(exclude_unset=True)


def test_a_refusal_is_a_problem_with_ok_false():
    """The ack of a refused event is the problem object of REST, marked as no success."""
    problem = refusal_of(Overloaded("busy", retry_after_s=1.0)).problem

    assert (False, "overloaded", True, 1.0) == tuple(
        problem[name] for name in ("ok", "code", "retryable", "retry_after_s")
    )
