"""What the bus tells of itself before anything has happened."""

from tocsin.adapters.bus_redis import RedisBus


def test_what_an_alert_looks_at_is_there_before_the_first_case():
    """A counter that appears with its first value has not risen, as Prometheus sees it."""
    stats = RedisBus("redis://127.0.0.1:1", epoch=lambda: "e").stats

    assert (0, 0) == (stats["dropped_unsigned"], stats["dropped_wrong_signature"])


def test_what_is_too_big_for_the_others_is_told(caplog):
    """It reaches this node alone: that is counted, and in the log."""
    bus = RedisBus("redis://127.0.0.1:1", epoch=lambda: "e")
    bus.publish_ephemeral(None, "/feed", "refresh", "y" * 131_073)

    assert 1 == bus.stats["dropped_too_big_to_send"]
    assert "stay on this node" in caplog.text
