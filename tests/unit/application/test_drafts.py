"""What a back end's dictionaries mean."""

from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from tocsin.application.drafts import draft_event, draft_message, draft_notification
from tocsin.domain.errors import Invalid, PayloadTooBig


def payload(**data):
    return orjson.loads(draft_event("/sns", "publish_success", [1], data)[1].payload)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2026-11-23T01:15:00.5", "2026-11-23T01:15:00.500000Z"),
        ("2026-11-23 01:15:00", "2026-11-23T01:15:00Z"),
        ("2026-11-23T01:15:00+00:00", "2026-11-23T01:15:00Z"),
        ("2026-11-23T01:15:00+09:00", "2026-11-22T16:15:00Z"),
        ("2026-11-23T01:15:00.123Z", "2026-11-23T01:15:00.123Z"),
        ("0001-01-01T00:00:00+09:00", "0001-01-01T00:00:00+09:00"),
        ("2026-11-23", "2026-11-23"),
        ("yesterday", "yesterday"),
        (datetime(2026, 11, 23, 1, 15), "2026-11-23T01:15:00Z"),  # noqa: DTZ001 as utcnow() gives it
        (datetime(2026, 11, 23, 1, 15, tzinfo=UTC), "2026-11-23T01:15:00Z"),
        (datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=9))), "2026-11-22T15:00:00Z"),
    ],
)
def test_an_instant_is_utc(given, told):
    """Also a naive one: the guide passes `datetime.utcnow().isoformat()`; a browser would take it for its own time."""
    assert payload(timestamp=given)["timestamp"] == told


def test_what_is_handed_over_is_a_copy():
    """A dictionary that changes afterwards changes nothing."""
    data = {"title": "t", "data": {"list": [1]}}
    draft = draft_notification(1, data)
    data["data"]["list"].append(2)

    assert draft.data == {"list": [1]}


def test_a_missing_message_gets_words():
    """One that is there is kept; an event without such a field gets none."""
    assert payload(platforms=["instagram"])["message"]
    assert payload(message="mine")["message"] == "mine"
    _, draft = draft_event("/orders", "shipment_update", [1], {"order_id": 1})
    assert "message" not in orjson.loads(draft.payload)


def test_keys_without_a_field_go_into_the_data():
    """So that a dictionary of the host's own still says all."""
    draft = draft_notification("7", {"title": "t", "post_id": 3, "data": {"a": 1}, "priority": "high"})

    assert (draft.user_id, draft.type, draft.message, draft.priority) == ("7", "notification", "", "high")
    assert draft.data == {"post_id": 3, "a": 1}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "title"),
        ("title", "is a dictionary"),
        ({"title": 5}, "title must be a string"),
        ({"title": "t", "priority": "loud"}, "priority must be one of"),
        ({"title": "t", "priority": ""}, "priority must be one of"),
        ({"title": "t", "type": ""}, "type must have 1 to"),
        ({"title": "t", "data": [1]}, "data must be an object"),
        ({"title": "t", "data": ""}, "data must be an object"),
        ({"title": "t", "ttl_s": -1}, "ttl_s"),
        ({"title": "t", "expires_at": "soon"}, "expires_at must be"),
        ({"title": "t", "expires_at": "2020-11-23T00:00:00Z"}, "expires_at is over"),
        ({"title": "t", "expires_at": "9999-12-31T23:00:00-05:00"}, "expires_at must lie before"),
        ({"title": "t", "ttl_s": 1, "expires_at": "2026-11-23"}, "not both"),
        ({"title": "t", "x": {1, 2}}, "data is not JSON"),
        ({"title": "t", "x": float("nan")}, "data is not JSON: it holds NaN"),
        ({"title": "t", "data": {"x": [None, ({"y": float("-inf")},)]}}, "data is not JSON: it holds NaN"),
    ],
)
def test_a_wrong_field_is_named(fields, line):
    """At the call, not later."""
    with pytest.raises(Invalid, match=line):
        draft_notification(1, fields)


def test_what_is_stored_already_may_have_expired_since():
    """It was delivered: to broadcast it makes nothing, and is no mistake."""
    over = datetime(2020, 11, 23, tzinfo=UTC)

    assert "n-1" == draft_notification(1, {"title": "t", "id": "n-1", "expires_at": over}).stored_id


def test_numbers_as_keys_are_strings_as_in_json():
    """`json.dumps` of the standard library does the same."""
    assert payload(by_day={1: 2})["by_day"] == {"1": 2}


def test_nothing_is_null():
    """None, and text that only looks like it; NaN is none, and refused for events, too."""
    assert payload(x=[None, 1.5, "null"])["x"] == [None, 1.5, "null"]
    for wrong in ({"x": float("nan")}, {"x": {float("inf"): 1}}):
        with pytest.raises(Invalid, match="NaN"):
            payload(**wrong)


def test_limits_hold_at_the_call():
    """Too much data, too many users, no such event."""
    with pytest.raises(PayloadTooBig):
        payload(x="y" * 70_000)
    with pytest.raises(Invalid, match="user_ids"):
        draft_event("/sns", "publish_success", [], {})
    with pytest.raises(Invalid, match="there is no event"):
        draft_event("/sns", "post_eaten", [1], {})


def test_a_message_adopts_what_a_session_saved():
    """Only when it is asked to; users and text are checked."""
    assert draft_message(1, 2, "hello", adopts_saved=True).adopts_saved
    assert not draft_message(1, 2, "hello").adopts_saved
    for wrong in ((None, 2, "x"), (1, 2, ""), (1, 2, 3)):
        with pytest.raises(Invalid):
            draft_message(*wrong)
