"""What was wrong with something from outside, in words."""

import json
from typing import Annotated

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tocsin.application.validation import findings, refuse_long_integers
from tocsin.domain.errors import Invalid


class Item(BaseModel):
    """An object in an object."""

    model_config = ConfigDict(strict=True, extra="forbid")
    url: str


class Order(BaseModel):
    """What somebody sends."""

    model_config = ConfigDict(strict=True, extra="forbid")
    id: int | str = Field(max_length=3)
    items: list[Item] = []
    post: int | Annotated[str, Field(min_length=1)] = 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["id: is required"]),
        ([], ["body: must be an object"]),
        ({"id": None}, ["id: must be a valid integer or must be a valid string"]),
        ({"id": "a", "to": 1, "at": 2}, ["to: there is no such field", "at: there is no such field"]),
        ({"id": "a", "items": [{}, "x"]}, ["items.0.url: is required", "items.1: must be an object"]),
        ({"id": "a", "int": 5}, ["int: there is no such field"]),
        ({"id": "a", "post": None}, ["post: must be a valid integer or must be a valid string"]),
        ({"id": "a", "items": 5}, ["items: must be a valid list"]),
        ({"id": "a", "n" * 1_000: 5}, ["n" * 64 + ": there is no such field"]),
    ],
)
def test_each_field_is_named_once_with_what_it_must_be(given, expected):
    """Also one of several types, one in a list, and one that is not there; no value is repeated."""
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(given)

    assert expected == findings(caught.value)


@pytest.mark.parametrize("text", ["[18446744073709551616]", '{"a": {"b": -9223372036854775809}}', "1" * 30])
def test_an_integer_that_would_become_another_number_is_refused(text):
    """A decoder that has 64 bits makes a float of it."""
    assert str(orjson.loads(text)) != str(json.loads(text))
    with pytest.raises(Invalid, match="send it as a string"):
        refuse_long_integers(text.encode())


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), "9" * 40, {"0" * 30: 1}, 1e300, [1234567890123456789.5]])
def test_what_is_kept_passes(value):
    """The longest integers of 64 bits, digits in texts and names, and floats."""
    refuse_long_integers(json.dumps(value).encode())
