"""What is looked at more closely, of rows in which an id's characters stand."""

import orjson
import pytest

from tocsin.adapters.sql.erase_mentions import may_name
from tocsin.domain.user_id import UserId

ANN = UserId('a"\\n n')


@pytest.mark.parametrize(
    ("user", "value"),
    [
        ("7", {"user_id": 7}),
        ("7", {"user_id": 7, "a": 1}),
        ("7", {"user_id": 7.0}),
        ("7", {"user_id": "7"}),
        ("7", ["6", "7"]),
        ("7", [[6, 7, 8]]),
        ("7", {"payload": orjson.dumps({"user_id": 7}).decode()}),
        ("7", {"payload": orjson.dumps({"user_id": "7", "a": 1}).decode()}),
        (ANN, {"user_id": ANN}),
        (ANN, {"payload": orjson.dumps({"user_id": ANN}).decode()}),
    ],
)
def test_an_id_by_itself_is_found(user, value):
    """As a number or a text, in a list or an object, and in JSON within JSON."""
    assert may_name(UserId(user))({"result": orjson.dumps(value)})


@pytest.mark.parametrize("value", [{"user_id": 77}, {"user_id": "17"}, {"id": "01a2-7"}, {"text": "7 of 9"}, {"7a": 1}])
def test_its_characters_elsewhere_are_not(value):
    """They stand in nearly every row where an id is short, and each such row would have to be rewritten to know."""
    assert not may_name(UserId("7"))({"key": "k", "result": orjson.dumps(value), "owner": "publish\n77"})


@pytest.mark.parametrize(
    "row", [{"from_user_id": "7"}, {"owner": "read\n7", "result": b"{}"}, {"user_id": "7", "draft": b""}]
)
def test_a_column_that_names_it_is_found(row):
    """And so is what a query found by a column alone."""
    assert may_name(UserId("7"))(row)
