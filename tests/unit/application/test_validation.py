"""What was wrong with something from outside, in words."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tocsin.application.validation import findings


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
