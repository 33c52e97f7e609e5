"""Spans of an event's way over nodes and providers, as a collector gets them."""

from contextlib import contextmanager

import pytest

from tests.otlp_receiver import attributes, receiving
from tocsin.adapters import otel
from tocsin.adapters.bus_redis.envelope import Envelopes
from tocsin.adapters.otel import OtelTracing
from tocsin.domain.stream import StreamEvent, StreamKey

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FOLLOWED = [(b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())]
KEY = StreamKey("alice", "/notifications")


def event(seq=1):
    payload = b'{"id":"n-%d","title":"t"}' % seq
    return StreamEvent("alice", "/notifications", seq, f"e-{seq}", "notification", payload, 1_700_000_000_000)


@pytest.fixture
def collector():
    with receiving() as received:
        yield received


@pytest.fixture
def tracing(collector):
    return OtelTracing(collector.url, 1.0)


@contextmanager
def asked(tracing, headers=FOLLOWED):
    with tracing.request("POST", headers) as ended:
        yield tracing.origin()
        ended("/api/notifications", 201)


async def test_the_way_over_another_node_is_one_trace(collector, tracing):
    """The event carries where it is, and the other node goes on from there."""
    there = OtelTracing(collector.url, 0.0)
    with asked(tracing) as origin:
        tracing.committed(origin, 1, [event()], 1)
    (message,) = Envelopes("here", lambda: "epoch", None, tracing).pack([event()])
    (arrived,) = Envelopes("there", lambda: "epoch", None, there).unpack(message)
    there.emitted(arrived, 2, 3, is_live=True)
    there.acked(KEY, 1)
    await tracing.stop()
    await there.stop()

    assert event() == arrived
    assert [
        ("", "POST /api/notifications"),
        ("POST /api/notifications", "commit"),
        ("bus", "emit notification"),
        ("commit", "bus"),
        ("emit notification", "ack"),
    ] == collector.of_trace(TRACE)


async def test_a_node_that_traces_nothing_takes_the_event_all_the_same(tracing):
    """What it carries more is passed over."""
    with asked(tracing) as origin:
        tracing.committed(origin, 1, [event()], 1)
    (message,) = Envelopes("here", lambda: "epoch", None, tracing).pack([event()])

    assert [event()] == Envelopes("there", lambda: "epoch").unpack(message)
    await tracing.stop()


async def test_a_push_hangs_below_the_commit(collector, tracing):
    """By the id of its notification; one that is not followed makes no span."""
    with asked(tracing) as origin:
        tracing.committed(origin, 1, [event()], 4)
    tracing.pushed("n-1", "fcm", 2, ["sent", "gone"])
    tracing.pushed("another", "fcm", 2, ["sent"])
    await tracing.stop()

    push = collector.named("push fcm")
    assert ("commit", "push fcm") in collector.of_trace(TRACE)
    assert {"tocsin.channel": "fcm", "tocsin.targets": 2, "tocsin.results": "sent gone"} == attributes(push)
    assert {"tocsin.events": 1, "tocsin.together": 4} == attributes(collector.named("commit"))


async def test_an_ack_ends_all_that_it_covers(collector, tracing):
    """It is cumulative: what is above it waits on, and a second one of the same adds nothing."""
    with asked(tracing) as origin:
        tracing.committed(origin, 1, [event(1), event(2), event(3)], 1)
    for seq in (1, 2, 3):
        tracing.emitted(event(seq), seq, 1, is_live=True)
    tracing.acked(KEY, 2)
    tracing.acked(KEY, 2)
    tracing.acked(KEY, 3)
    await tracing.stop()

    acked = [attributes(span)["tocsin.seq"] for span in collector.spans if span.name == "ack"]
    assert [1, 2, 3] == sorted(acked)


async def test_who_reached_nobody_waits_for_no_ack(collector, tracing):
    """Nobody is there to give one."""
    with asked(tracing) as origin:
        tracing.committed(origin, 1, [event()], 1)
    tracing.emitted(event(), 1, 0, is_live=True)
    tracing.acked(KEY, 1)
    await tracing.stop()

    assert "ack" not in [span.name for span in collector.spans]


async def test_what_is_not_followed_keeps_nothing(collector):
    """No origin, no memory, no span."""
    tracing = OtelTracing(collector.url, 0.0)
    with asked(tracing, []) as origin:
        assert origin is None
    tracing.emitted(event(), 1, 1, is_live=True)
    tracing.acked(KEY, 1)
    assert tracing.carry(event()) is None
    await tracing.stop()

    assert [] == collector.spans
    assert not tracing._events
    assert not tracing._unacked


async def test_memory_is_bounded(tracing, monkeypatch):
    """The oldest are forgotten: events, notifications, and what waits for an ack."""
    monkeypatch.setattr(otel, "MAX_KEPT", 3)
    monkeypatch.setattr(otel, "MAX_UNACKED", 2)
    with asked(tracing) as origin:
        tracing.committed(origin, 1, [event(seq) for seq in range(1, 6)], 1)
    for seq in range(1, 6):
        tracing.emitted(event(seq), 1, 1, is_live=True)
    await tracing.stop()

    assert ["e-3", "e-4", "e-5"] == list(tracing._events)
    assert ["n-3", "n-4", "n-5"] == list(tracing._notifications)
    assert [4, 5] == [seq for seq, _, _ in tracing._unacked[KEY]]
