"""Streams: what clients see of an event, and which cursors can be resumed."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.stream import MAX_REPLAY, Head, StreamEvent, resync_reason

json_objects = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.booleans() | st.integers(-(2**53), 2**53)
)


def event(payload):
    return StreamEvent("alice", "/orders", 7, "id-7", "order_updated", payload, 1_795_348_800_123)


@given(json_objects)
def test_the_wire_payload_is_the_payload_with_its_place(payload):
    """Clients see the payload's fields with event_id, seq and epoch, whatever the payload."""
    wire = orjson.loads(event(orjson.dumps(payload)).wire_payload("e1"))

    assert {**payload, "event_id": "id-7", "seq": 7, "epoch": "e1"} == wire


def test_a_record_is_the_event_as_rest_lists_it():
    """It names the event and its instant, and holds what the socket would carry."""
    record = event(b'{"status":"paid"}').record("e1")

    assert {
        "seq": 7,
        "event_id": "id-7",
        "event": "order_updated",
        "created_at": "2026-11-22T12:00:00.123Z",
        "data": {"status": "paid", "event_id": "id-7", "seq": 7, "epoch": "e1"},
    } == record


@pytest.mark.parametrize(
    ("epoch", "last_seq", "head", "expected"),
    [
        ("e1", 0, Head(0, 0, 0), None),
        ("e1", 5, Head(5, 0, 0), None),
        ("e1", 0, Head(5, 0, 0), None),
        ("e1", 3, Head(5, 3, 0), None),
        ("e1", 0, Head(MAX_REPLAY, 0, 0), None),
        (None, 0, Head(0, 0, 0), "epoch_changed"),
        ("e0", 5, Head(5, 0, 0), "epoch_changed"),
        ("e1", 6, Head(5, 0, 0), "ahead_of_head"),
        ("e1", 2, Head(5, 3, 0), "pruned"),
        ("e1", 0, Head(MAX_REPLAY + 1, 0, 0), "too_far_behind"),
    ],
)
def test_a_cursor_is_resumed_or_told_why_not(epoch, last_seq, head, expected):
    """A cursor within what is kept, and near enough, is resumed."""
    assert expected == resync_reason(epoch, last_seq, head, "e1")
