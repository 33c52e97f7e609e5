"""What every bus guarantees within one node."""

import pytest

from tocsin.adapters.bus_local import LocalBus
from tocsin.domain.stream import StreamEvent


@pytest.fixture(params=[LocalBus])
def bus(request):
    return request.param()


def event(seq):
    return StreamEvent("alice", "/orders", seq, f"id-{seq}", "order_updated", b"{}", 0)


def test_events_arrive_in_commit_order(bus):
    """What is published in turn arrives in turn."""
    heard = []
    bus.subscribe(lambda events: heard.extend(one.seq for one in events), lambda *_: None, lambda _: None)

    bus.publish([event(1), event(2)])
    bus.publish([event(3)])

    assert [1, 2, 3] == heard


def test_an_ephemeral_event_keeps_its_parts(bus):
    """User, namespace, event and payload arrive as they were published."""
    heard = []
    bus.subscribe(lambda events: None, lambda *parts: heard.append(parts), lambda _: None)

    bus.publish_ephemeral("bob", "/chat", "user_typing", {"user_id": 1, "is_typing": True})

    assert [("bob", "/chat", "user_typing", {"user_id": 1, "is_typing": True})] == heard


def test_a_node_that_does_not_listen_misses_nothing_it_needs(bus):
    """Publishing before a subscription is no error: the log has it."""
    heard = []
    bus.publish([event(1)])
    bus.publish_ephemeral("bob", "/chat", "user_typing", {})

    bus.subscribe(heard.extend, lambda *_: None, lambda _: None)

    assert [] == heard
