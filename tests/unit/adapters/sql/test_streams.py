"""What is saved of a write that happens once."""

import orjson

from tocsin.adapters.sql.streams import events_from_json, events_to_json
from tocsin.domain.stream import StreamEvent
from tocsin.domain.user_id import UserId


def test_the_result_of_an_event_to_many_holds_its_payload_once():
    """A thousand recipients of 64 KiB are no 64 MB in the row of an idempotency key."""
    payload = orjson.dumps({"message": "가" * 20_000})
    events = [
        StreamEvent(UserId(f"user-{number}"), "/orders", number, f"event-{number}", "order_updated", payload, 5)
        for number in range(1_000)
    ]
    saved = orjson.dumps(events_to_json(events))

    assert len(saved) < 2 * len(payload)
    assert events == events_from_json(orjson.loads(saved))
