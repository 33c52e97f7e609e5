"""What the dashboard plots of this process: a choice of its metrics, small enough to go over the bus."""

from collections.abc import Callable, Iterable
from typing import Any

from tocsin import __version__
from tocsin.domain.timestamp import iso
from tocsin.metrics import HistogramReading, Readings
from tocsin.realtime import Realtime

_GAUGES = {
    "users": "tocsin_users",
    "connections": "tocsin_connections",
    "readers": "tocsin_readers",
    "sockets": "tocsin_sockets",
    "stalled": "tocsin_stalled_connections",
    "queued_bytes": "tocsin_queued_bytes",
    "store_queue": "tocsin_store_queue",
    "pushes_under_way": "tocsin_deliveries_under_way",
    "push_late_s": "tocsin_delivery_late_seconds",
    "lag_events": "tocsin_stream_lag_events",
    "memory_bytes": "process_resident_memory_bytes",
    "open_files": "process_open_fds",
}
# Of these each label is told, too.
_LABELLED = frozenset({"connections", "sockets", "pushes", "refusals", "events_in", "events_out", "committed"})
_COUNTERS = {
    "handshakes": "tocsin_handshakes_total",
    "events_in": "tocsin_events_received_total",
    "events_out": "tocsin_events_sent_total",
    "committed": "tocsin_events_committed_total",
    "replayed": "tocsin_events_replayed_total",
    "resyncs": "tocsin_resyncs_total",
    "refusals": "tocsin_refusals_total",
    "disconnects": "tocsin_disconnects_total",
    "pushes": "tocsin_deliveries_total",
    "cpu_s": "process_cpu_seconds_total",
}
_HISTOGRAMS = {
    "commit": ("tocsin_commit_seconds", ()),
    "batch": ("tocsin_commit_batch_size", ()),
    "loop_delay": ("tocsin_loop_delay_seconds", ()),
    "request": ("tocsin_http_request_seconds", ("/api/notifications",)),
    "bus": ("tocsin_bus_echo_seconds", ()),
}
MAX_LABELS = 60


def figures(read: Callable[[], Readings], realtime: Realtime, started_at: int) -> dict[str, Any]:
    """
    Return the figures of now: ``{version, started_at, accepting, bus_connected, gauges, counters, histograms}``.

    Args:
        read: Reads the metrics of this process.
        realtime: Knows how long events take to sockets and acks.
        started_at: When this process began, in milliseconds since 1970.
    """
    readings = read()
    histograms = {name: readings.get(metric, {}).get(labels) for name, (metric, labels) in _HISTOGRAMS.items()}
    histograms |= {"reach": HistogramReading.of(realtime.reach), "ack": HistogramReading.of(realtime.acks)}
    return {
        "version": __version__,
        "started_at": iso(started_at),
        "accepting": bool(_sum(readings, "tocsin_accepting")),
        "bus_connected": bool(_sum(readings, "tocsin_bus_connected")),
        "gauges": dict(_all(readings, _GAUGES)),
        "counters": dict(_all(readings, _COUNTERS)),
        "histograms": {name: _json(found) for name, found in histograms.items() if isinstance(found, HistogramReading)},
    }


def _all(readings: Readings, names: dict[str, str]) -> Iterable[tuple[str, float]]:
    for name, metric in names.items():
        yield name, _sum(readings, metric)
        if name in _LABELLED:
            by_label = sorted(readings.get(metric, {}).items())
            for labels, value in by_label[:MAX_LABELS]:
                if not isinstance(value, HistogramReading):
                    yield f"{name} {' '.join(labels)}", value


def _sum(readings: Readings, metric: str) -> float:
    return sum(value for value in readings.get(metric, {}).values() if not isinstance(value, HistogramReading))


def _json(found: HistogramReading) -> dict[str, Any]:
    return {"bounds": found.bounds, "counts": found.counts, "total": found.total}
